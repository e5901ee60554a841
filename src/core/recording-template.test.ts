import { describe, expect, test } from 'vitest';
import { checkTemplate, fillTemplate } from './recording-template.ts';

const values = {
  room: 'daily',
  id: 'RC_1',
  name: 'Board: Q3/Q4',
  track: '../../etc/passwd',
  part: 7,
  startedAtMs: Date.UTC(2026, 10, 28, 21, 5, 9),
};

describe('a template', () => {
  test.each(['{room}/{date}/{time}-{part}', 'a', '{id}', 'calls/{name} {track} {part}'])('%s is taken', (template) => {
    expect(() => checkTemplate(template)).not.toThrow();
  });

  test.each([
    ...['', '/etc/x', 'x/', 'a//b', '../x', 'a/../b', '.hidden', 'x/.y', 'a/b.', 'C:\\x', 'a\0b', 'a\nb'],
    ...['{what}', '{room', 'room}', '{{room}}', '{}', 'ü', 'x'.repeat(201)],
  ])('%j is refused', (template) => {
    expect(() => checkTemplate(template)).toThrow(/template/);
  });

  test('is filled with what a file name can hold', () => {
    expect(fillTemplate('{room}/{date}/{time}-{name}-{part}', values)).toBe('daily/2026-11-28/210509-Board-Q3-Q4-007');
  });

  test('no name in it is longer than file systems take', () => {
    const name = `${'n'.repeat(60)}.`;
    const filled = fillTemplate(`{name}/${'{name}'.repeat(5)}-{part}`, { ...values, name });
    expect(filled.split('/').map(({ length }) => length)).toEqual([60, 200]);
  });

  test('no value leads out of the folder', () => {
    expect(fillTemplate('{track}', values)).toBe('etc-passwd');
    expect(fillTemplate('{track}', { ...values, track: '..' })).toBe('x');
    expect(fillTemplate('{name}', { ...values, name: '会议' })).toBe('x');
  });
});
