import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { SfuRoom, SfuWebRtcTransport } from '#core/ports.ts';
import type { RtpParameters } from '#core/rtp.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { createSfu, type Sfu } from './index.ts';

// A real worker is asked with every mutation; it has to live, and to answer the next honest question.

const log = new KeepingLog();
let sfu: Sfu;
let room: SfuRoom;
let transport: SfuWebRtcTransport;
let pid: number | undefined;

beforeAll(async () => {
  const config = { ...configSchema.parse({}).sfu, workers: 1, firstPort: 0, listen: [{ ip: '127.0.0.1' }] };
  sfu = await createSfu(config, { log });
  pid = (await sfu.describeWorkers())[0]?.pid;
  room = await sfu.createRoom({ log });
  transport = await room.createWebRtcTransport({ hasData: true });
});
afterAll(() => sfu.close());

const honest = {
  mid: 'v',
  codecs: [
    {
      mimeType: 'video/H264',
      payloadType: 96,
      clockRate: 90_000,
      parameters: { 'packetization-mode': 1, 'profile-level-id': '42e01f', 'level-asymmetry-allowed': 1 },
      rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }, { type: 'transport-cc' }],
    },
    { mimeType: 'video/rtx', payloadType: 97, clockRate: 90_000, parameters: { apt: 96 } },
  ],
  headerExtensions: [
    { uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 1 },
    { uri: 'urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id', id: 2 },
  ],
  encodings: [
    { rid: 'q', scalabilityMode: 'L1T3', maxBitrate: 100_000 },
    { rid: 'h', scalabilityMode: 'L1T3', maxBitrate: 500_000 },
  ],
  rtcp: { cname: 'c', reducedSize: true },
};

type Path = readonly (string | number)[];

function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, child]) => pathsOf(child, [...path, key]))];
}

function replaceAt(value: unknown, [key, ...rest]: Path, replacement: unknown): unknown {
  if (key === undefined) return replacement;
  if (Array.isArray(value))
    return value.map((child, i) => (i === Number(key) ? replaceAt(child, rest, replacement) : child));
  const object = value as Record<string, unknown>;
  return { ...object, [key]: replaceAt(object[key], rest, replacement) };
}

const oddValue = fc.oneof(
  fc.constantFrom<unknown>(
    undefined,
    null,
    '',
    0,
    -1,
    1.5,
    1e300,
    Number.NaN,
    2 ** 31,
    2 ** 32,
    true,
    [],
    {},
    [[]],
    [null],
  ),
  fc.constantFrom(
    'video/rtx',
    'audio/opus',
    'video/VP9',
    '__proto__',
    'x'.repeat(70_000),
    '\0',
    '\u{1F600}',
    'L3T3_KEY',
  ),
  fc.integer({ min: 0, max: 300 }),
  fc.string(),
  fc.jsonValue({ maxDepth: 2 }),
);
const mutationsOf = (value: object) =>
  fc.array(fc.tuple(fc.constantFrom(...pathsOf(value)), oddValue), { minLength: 1, maxLength: 3 }).map((changes) =>
    changes.reduce<unknown>((mutated, [path, odd]) => {
      try {
        return replaceAt(mutated, path, odd);
      } catch {
        return mutated; // an earlier change took the place away
      }
    }, value),
  );

const refusals = ['invalid_request', 'no_common_codec'];

/** Whatever came of it, it came as a value or as a refusal that names the client. */
async function outcomeOf(attempt: () => Promise<{ close(): void }>): Promise<void> {
  try {
    (await attempt()).close();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(GatewayError);
    expect(refusals).toContain((thrown as GatewayError).code);
  }
}

async function assertAlive(): Promise<void> {
  const producer = await transport.produce({ kind: 'video', rtpParameters: honest });
  const consumer = await transport.consume({ producer, rtpCapabilities: room.rtpCapabilities });
  expect(consumer.rtpParameters.codecs[0]?.mimeType).toBe('video/H264');
  producer.close();
  expect((await sfu.describeWorkers())[0]).toMatchObject({ pid, restarts: 0 });
}

const budget = { numRuns: 400, interruptAfterTimeLimit: 6_000 };

test('mutated RTP parameters are taken or refused, and the worker goes on', async () => {
  const kind = fc.constantFrom('video', 'video', 'video', 'audio', 'data' as never);
  await fc.assert(
    fc.asyncProperty(mutationsOf(honest), kind, async (mutated, kind) => {
      await outcomeOf(() => transport.produce({ kind, rtpParameters: mutated as RtpParameters }));
    }),
    budget,
  );
  await assertAlive();
});

test('mutated RTP capabilities are taken or refused, and the worker goes on', async () => {
  const producer = await transport.produce({ kind: 'video', rtpParameters: { ...honest, mid: 'c' } });
  await fc.assert(
    fc.asyncProperty(mutationsOf(room.rtpCapabilities), fc.option(fc.string()), async (mutated, mid) => {
      await outcomeOf(() =>
        transport.consume({ producer, rtpCapabilities: mutated as object, ...(mid === null ? {} : { mid }) }),
      );
    }),
    budget,
  );
  producer.close();
  await assertAlive();
});

test('mutated data channels are taken or refused, and the worker goes on', async () => {
  const channel = {
    sctpStreamParameters: { streamId: 1, ordered: false, maxRetransmits: 2 },
    label: 'l',
    protocol: 'p',
  };
  await fc.assert(
    fc.asyncProperty(mutationsOf(channel), async (mutated) => {
      const { sctpStreamParameters, label, protocol } = (mutated ?? {}) as typeof channel;
      await outcomeOf(() => transport.produceData({ sctpStreamParameters, label, protocol }));
    }),
    budget,
  );
  await assertAlive();
});

test('mutated DTLS parameters are taken or refused, and the worker goes on', async () => {
  const fingerprint = { algorithm: 'sha-256', value: Array.from({ length: 32 }, () => '0F').join(':') };
  const dtlsParameters = { role: 'client', fingerprints: [fingerprint] } as const;
  await fc.assert(
    fc.asyncProperty(mutationsOf(dtlsParameters), async (mutated) => {
      const peer = await room.createWebRtcTransport();
      await outcomeOf(async () => {
        await peer.connect({ dtlsParameters: mutated as never });
        return peer;
      });
      peer.close();
    }),
    budget,
  );
  await assertAlive();
});

test('SSRCs and mids that are taken already are the fault of who takes them again', async () => {
  const codecs = [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 }];
  const first = await transport.produce({
    kind: 'audio',
    rtpParameters: { codecs, encodings: [{ ssrc: 77 }], mid: 'a' },
  });
  for (const rtpParameters of [
    { codecs, encodings: [{ ssrc: 77 }], mid: 'b' },
    { codecs, encodings: [{ ssrc: 78 }], mid: 'a' },
  ]) {
    await expect(transport.produce({ kind: 'audio', rtpParameters })).rejects.toMatchObject({
      code: 'invalid_request',
    });
  }
  first.close();
  await assertAlive();
});
