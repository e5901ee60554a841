import { expect, test } from 'vitest';
import { DtmfReceiver, DtmfSender } from './dtmf.ts';

function send(keys: string, durationMs: number, clockRateHz: number) {
  const sender = new DtmfSender();
  sender.push(keys, durationMs);
  const packets: { payload: Buffer; timestamp: number; marker: boolean }[] = [];
  let timestamp = 1_000;
  let begin = timestamp;
  for (; sender.isBusy; timestamp += clockRateHz / 50) {
    const step = sender.next(clockRateHz);
    if (step.isBegin) begin = timestamp;
    for (const packet of step.packets) packets.push({ ...packet, timestamp: begin + packet.segmentTicks });
  }
  return packets;
}

test.each([8_000, 48_000])(
  'keys come through at a clock of %d, each once, the same key twice as well',
  (clockRateHz) => {
    const receiver = new DtmfReceiver();
    const packets = send('12*#0AD,55', 160, clockRateHz);
    const heard = packets.map(({ payload, timestamp }) => receiver.receive(payload, timestamp)).filter(Boolean);
    expect(heard.join('')).toBe('12*#0AD55');
    expect(packets.filter(({ marker }) => marker)).toHaveLength(9);
  },
);

test('any one packet of a press is enough, in whatever order they come', () => {
  const packets = send('7', 200, 8_000);
  for (const packet of packets) {
    const receiver = new DtmfReceiver();
    expect(receiver.receive(packet.payload, packet.timestamp)).toBe('7');
    for (const other of packets.toReversed()) expect(receiver.receive(other.payload, other.timestamp)).toBeUndefined();
  }
});

test('a press longer than a packet can say is one press', () => {
  const receiver = new DtmfReceiver();
  const packets = send('5', 3_000, 48_000);
  expect(new Set(packets.map(({ timestamp }) => timestamp)).size).toBeGreaterThan(1);
  expect(packets.map((packet) => receiver.receive(packet.payload, packet.timestamp)).filter(Boolean)).toEqual(['5']);
});

test('the end is said three times, and its duration is the whole press', () => {
  const packets = send('9', 100, 8_000);
  const ends = packets.filter(({ payload }) => ((payload[1] ?? 0) & 0x80) !== 0);
  expect(ends.map(({ payload }) => payload.readUInt16BE(2))).toEqual([800, 800, 800]);
});
