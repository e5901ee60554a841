import { expect, test } from 'vitest';
import { RtpPorts } from './rtp-ports.ts';

test('gives even ports whose neighbour is in the range too, each in turn', () => {
  const ports = new RtpPorts({ firstPort: 20_001, lastPort: 20_006, restMs: 0 });
  expect([ports.take(0), ports.take(0)]).toEqual([20_002, 20_004]);
  expect(() => ports.take(0)).toThrow(expect.objectContaining({ code: 'overloaded' }));
});

test('a port rests after use, and one that was given back twice is there once', () => {
  const ports = new RtpPorts({ firstPort: 20_000, lastPort: 20_003, restMs: 5_000 });
  const first = ports.take(0);
  ports.give(first, 100);
  ports.give(first, 200);
  expect(ports.take(200)).toBe(20_002);
  expect(() => ports.take(5_099)).toThrow(expect.objectContaining({ code: 'overloaded', retryAfterMs: 5_000 }));
  expect(ports.take(5_100)).toBe(first);
  expect(ports.usedCount).toBe(2);
});
