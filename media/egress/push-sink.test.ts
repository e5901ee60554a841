import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { PushConnection, PushEnd } from './push-connection.ts';
import { PushSink } from './push-sink.ts';
import type { EgressStream } from './sink.ts';

const sound: readonly EgressStream[] = [{ kind: 'audio', codec: 'opus', sampleRateHz: 48_000, channels: 2 }];

class Connection implements PushConnection {
  readonly #end = Promise.withResolvers<PushEnd>();
  readonly done = this.#end.promise;
  readonly queuedBytes = 0;
  readonly #takes: boolean;
  bytesOut = 0;
  isClosed = false;

  constructor(takes: boolean) {
    this.#takes = takes;
  }

  describe(): void {
    if (!this.#takes) throw new GatewayError('unsupported_media_type', 'It takes no Opus.');
  }

  write({ data }: { data: Uint8Array }): void {
    this.bytesOut += data.length;
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.#end.resolve({ code: 'closed', message: 'Closed.' });
  }
}

/** A sink whose target takes what it is told of, or not; and what is said of it. */
function pushing(takes: boolean) {
  const connections: Connection[] = [];
  let notice: (what: string) => void = () => undefined;
  const told: string[] = [];
  const sink = new PushSink({
    options: {},
    random: () => 0,
    open: async ({ onNotice }) => {
      notice = onNotice;
      const connection = new Connection(takes);
      connections.push(connection);
      return connection;
    },
  });
  const changed = Promise.withResolvers<void>();
  sink.events.on('changed', (state, _reason, message) => {
    told.push(`${state}: ${message}`);
    changed.resolve();
  });
  return { sink, connections, told, changed: changed.promise, notice: (what: string) => notice(what) };
}

test('a target that does not take what it is told of is left, with its reason', async () => {
  const { sink, connections, told, changed } = pushing(false);
  sink.describe(sound);
  await changed;
  expect(connections.map(({ isClosed }) => isClosed)).toEqual([true]);
  expect(told[0]).toMatch(/^reconnecting: It takes no Opus\. Next attempt in /);
  await sink.close();
});

test('a target is live with its first unit, may have something to say of itself, and is left when the sink is closed', async () => {
  const { sink, connections, told, changed, notice } = pushing(true);
  sink.describe(sound);
  await new Promise((resolve) => setImmediate(resolve));
  const unit = {
    kind: 'audio',
    ptsUs: 0,
    dtsUs: 0,
    durationUs: 20_000,
    isKey: true,
    data: Uint8Array.of(1, 2),
  } as const;
  sink.write(unit);
  await changed;
  notice('It keeps everything.');
  await sink.close();
  notice('Too late.');
  expect(told).toEqual(['live: Streaming.', 'live: Streaming. It keeps everything.', 'ended: Stopped on request.']);
  expect([sink.bytesOut, connections[0]?.isClosed]).toEqual([2, true]);
});

test('with a fallback it asks for other codecs once instead of trying later, and says what it streams', async () => {
  let takes = false;
  const connections: Connection[] = [];
  const told: string[] = [];
  const sink = new PushSink({
    options: {},
    random: () => 0,
    hasFallback: true,
    open: async () => {
      const connection = new Connection(takes);
      connections.push(connection);
      return connection;
    },
  });
  const isLive = Promise.withResolvers<void>();
  sink.events.on('changed', (state, _, message) => {
    told.push(`${state} ${message}`);
    if (state === 'live') isLive.resolve();
  });
  sink.events.on('unsupported', () => {
    takes = true;
    sink.describe([{ kind: 'audio', codec: 'aac', sampleRateHz: 48_000, channels: 2 }]);
  });
  sink.describe(sound);
  await expect.poll(() => connections.length).toBe(2);
  const unit = {
    kind: 'audio',
    ptsUs: 0,
    dtsUs: 0,
    durationUs: 20_000,
    isKey: true,
    data: Buffer.from('aac'),
  } as const;
  await expect
    .poll(() => {
      sink.write(unit);
      return connections[1]?.bytesOut;
    })
    .toBeGreaterThan(0);
  await isLive.promise;
  expect(told).toEqual(['live Streaming. In H264 and AAC: It takes no Opus.']);
  await sink.close();
});
