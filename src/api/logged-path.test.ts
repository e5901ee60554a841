import { expect, test } from 'vitest';
import { loggedPath } from './logged-path.ts';

test.each([
  ['/whip/demo/session/s3cr3t', '/whip/demo/session/[redacted]'],
  ['/whep/demo/TR_1/session/s3cr3t/', '/whep/demo/TR_1/session/[redacted]/'],
  ['/api/rooms/demo', '/api/rooms/demo'],
  [`/${'x'.repeat(300)}`, `/${'x'.repeat(255)}`],
])('%s is logged as %s', (path, logged) => {
  expect(loggedPath(path)).toBe(logged);
});
