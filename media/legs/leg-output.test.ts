import { expect, test } from 'vitest';
import type { LegParameters } from '#core/leg-media.ts';
import { MixSound } from '../mixer/mix-sound.ts';
import { LegOutput } from './leg-output.ts';
import type { LegSocket } from './leg-socket.ts';

interface Sent {
  readonly payloadType: number;
  readonly hasMarker: boolean;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Buffer;
}

function someOutput(send: Partial<LegParameters['send']> = {}) {
  const sent: Sent[] = [];
  const socket = {
    sendRtp: (header: number, sequence: number, timestamp: number, _ssrc: number, payload: Uint8Array) => {
      const [payloadType, hasMarker] = [header & 0x7f, (header & 0x80) !== 0];
      sent.push({ payloadType, hasMarker, sequence, timestamp, payload: Buffer.from(payload) });
    },
  };
  const output = new LegOutput(socket as unknown as LegSocket, 7, undefined);
  output.negotiate({
    ...{ remoteAddress: '192.0.2.9', remotePort: 4_000, direction: 'sendrecv', receive: { codecs: [], dtmf: [] } },
    send: { codec: 'pcmu', payloadType: 0, ptimeMs: 20, ...send },
  });
  const sound = new MixSound();
  sound.set(undefined);
  const steps = (count: number) => {
    for (let i = 0; i < count; i++) output.step(sound);
  };
  return { output, sent, steps };
}

test('silence is sent from the first 20 ms on: translators and carriers wait for nothing', () => {
  const { sent, steps } = someOutput();
  steps(1);
  expect(sent).toMatchObject([{ payloadType: 0, hasMarker: true }]);
  // 0xff and 0x7f are the zeros of G.711 µ-law.
  expect(sent[0]?.payload.every((byte) => byte === 0xff || byte === 0x7f)).toBe(true);
  steps(49);
  const ticks = sent.map(({ timestamp }) => (timestamp - (sent[0]?.timestamp ?? 0)) >>> 0);
  expect(ticks).toEqual(Array.from({ length: 50 }, (_, i) => i * 160));
  expect(sent.map(({ payload }) => payload.length)).toEqual(Array(50).fill(160));
});

test('where comfort noise is agreed its first packet goes at once, and one each 200 ms after it', () => {
  const { sent, steps } = someOutput({ comfortNoisePayloadType: 13 });
  steps(1);
  expect(sent).toMatchObject([{ payloadType: 13, hasMarker: false }]);
  steps(49);
  const ticks = sent.map(({ timestamp }) => (timestamp - (sent[0]?.timestamp ?? 0)) >>> 0);
  expect(ticks).toEqual([0, 1_600, 3_200, 4_800, 6_400]);
  // RFC 3389 §3.1: the level, in -dBov.
  expect(sent[0]?.payload[0]).toBe(65);
});

test('while nothing may be sent time goes on, and what comes after it begins with a marker', () => {
  const { output, sent, steps } = someOutput();
  steps(1);
  output.pass(100);
  steps(1);
  const [before, after] = sent;
  expect([after?.hasMarker, ((after?.sequence ?? 0) - (before?.sequence ?? 0)) & 0xffff]).toEqual([true, 1]);
  expect(((after?.timestamp ?? 0) - (before?.timestamp ?? 0)) >>> 0).toBe(101 * 160);
});
