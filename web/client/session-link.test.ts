import { expect, test } from 'vitest';
import { closeCodes } from '#signalling/protocol-constants.ts';
import { endOf } from './session-link.ts';

const closed = (reason: 'kicked' | 'drained' | 'timeout' | 'parent_closed' | 'replaced' | 'peer_left') => ({
  reason,
  message: 'why',
});

test.each([
  ['a kick is the end', closeCodes.ended, closed('kicked'), 'kicked'],
  ['a closed room is the end', closeCodes.ended, closed('parent_closed'), 'room_closed'],
  ['a session that goes on elsewhere is the end', closeCodes.replaced, undefined, 'replaced'],
  ['an own good-bye is the end', closeCodes.ended, closed('peer_left'), 'left'],
  ['the word of the server counts more than the code that a proxy makes of it', 1006, closed('kicked'), 'kicked'],
] as const)('%s', (_title, code, event, kind) => {
  expect(endOf(code, '', event)?.kind).toBe(kind);
});

test.each([
  ['a lost socket', 1006, undefined],
  ['a server that shuts down', closeCodes.serverClosing, undefined],
  ['a server that says so by the event', closeCodes.serverClosing, closed('drained')],
  ['a server that took us for dead', closeCodes.ended, closed('timeout')],
] as const)('after %s the client comes back', (_title, code, event) => {
  expect(endOf(code, '', event)).toBeUndefined();
});
