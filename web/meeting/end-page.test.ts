import { expect, test } from 'vitest';
import { wordsFor } from './end-page.tsx';

test.each(['left', 'replaced', 'room_closed', 'gave_up'] as const)('after "%s" one can come back as one is', (kind) => {
  expect(wordsFor({ kind, message: '' }, 'demo')).toMatchObject({ canRejoin: true, wantsLink: false });
});

test('who was kicked needs a new invitation', () => {
  expect(wordsFor({ kind: 'kicked', message: '' }, 'demo')).toMatchObject({ canRejoin: false, wantsLink: true });
});

test.each([
  ['unauthorized', false, true],
  ['forbidden', false, true],
  ['not_found', false, true],
  ['room_full', true, false],
  ['draining', true, false],
  ['disconnected', true, false],
  ['unsupported_browser', false, false],
  ['internal', true, false],
] as const)('a refusal for "%s" says what helps', (code, canRejoin, wantsLink) => {
  const words = wordsFor({ kind: 'refused', code, message: 'said by the server' }, 'demo');
  expect(words).toMatchObject({ canRejoin, wantsLink });
  expect(words.title).not.toBe('');
  expect(words.text).not.toBe('');
});
