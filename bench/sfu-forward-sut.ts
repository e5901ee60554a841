// The two ends of bench/sfu-forward.ts that are measured: a room of the gateway, and the same fan-out on bare mediasoup.
import { createWorker, type types } from 'mediasoup';
import { configSchema } from '#config/schema.ts';
import { defaultRoles } from '#core/grants.ts';
import { newRoomId } from '#core/ids.ts';
import type { Logger } from '#core/ports.ts';
import { Room } from '#core/room.ts';
import type { RtpParameters } from '#core/rtp.ts';
import type { Subscription } from '#core/track.ts';
import { createSfu } from '#sfu/index.ts';

export type Role = 'gateway' | 'bare';

/** parent → child: what to build. child → parent: where to send, whom to measure, what has been sent. */
export interface SutOptions {
  readonly role: Role;
  readonly consumers: number;
  readonly ssrc: number;
  readonly senderPort: number;
  readonly sinkPort: number;
}
export interface SutReady {
  readonly port: number;
  readonly workerPid: number;
}
export interface SutCount {
  readonly packetsSent: number;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: console.warn,
  error: console.error,
  child: () => silent,
};
const ip = '127.0.0.1';
const rtpParameters = (ssrc: number): RtpParameters => ({
  codecs: [
    {
      mimeType: 'video/VP8',
      payloadType: 96,
      clockRate: 90_000,
      rtcpFeedback: [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }],
    },
  ],
  encodings: [{ ssrc }],
  rtcp: { cname: 'bench' },
});
const vp8Capabilities = (codecs: readonly types.RtpCodecCapability[]) => ({
  codecs: codecs.filter(({ mimeType }) => mimeType === 'video/VP8'),
  headerExtensions: [],
});

/** Resolves how many packets the consumers have sent, in all. */
type Built = SutReady & { readonly count: () => Promise<number> };

async function buildGateway({ consumers, ssrc, senderPort, sinkPort }: SutOptions): Promise<Built> {
  const sfuConfig = { ...configSchema.parse({}).sfu, workers: 1, firstPort: 0, listen: [{ ip }] };
  const sfu = await createSfu({ ...sfuConfig, maxConsumersPerRouter: consumers + 1 }, { log: silent });
  const settings = { maxParticipants: -1, inputLimit: -1, lastN: -1, emptyTimeoutMs: 1e6 };
  const record = { ...settings, displayName: '', roles: defaultRoles, metadata: {}, createdAtMs: 0 };
  const room = await Room.create({ ...record, id: newRoomId(), name: 'bench' }, sfu, silent);
  const join = (user: string) => room.join({ kind: 'bot', user, displayName: user, role: 'presenter' });
  const sending = await room.media.createPlainTransport();
  await sending.connect({ ip, port: senderPort });
  const publication = await join('sender').publish(sending, {
    kind: 'video',
    source: 'camera',
    rtpParameters: rtpParameters(ssrc),
  });
  const subscriptions: Subscription[] = [];
  for (let i = 0; i < consumers; i++) {
    const transport = await room.media.createPlainTransport();
    await transport.connect({ ip, port: sinkPort });
    const rtpCapabilities = vp8Capabilities(room.media.rtpCapabilities.codecs as types.RtpCodecCapability[]);
    const subscription = await join(`receiver ${i}`).subscribe(transport, publication, { rtpCapabilities });
    await subscription.resume();
    subscriptions.push(subscription);
  }
  const [worker] = await sfu.describeWorkers();
  if (!worker) throw new Error('no worker');
  const count = async (): Promise<number> => {
    const stats = await Promise.all(subscriptions.map(({ consumer }) => consumer.getStats()));
    return stats.flat().reduce((sum, { packetCount }) => sum + packetCount, 0);
  };
  return { port: sending.localPort, workerPid: worker.pid, count };
}

async function buildBare({ consumers, ssrc, senderPort, sinkPort }: SutOptions): Promise<Built> {
  const worker = await createWorker({ logLevel: 'warn' });
  const router = await worker.createRouter({
    mediaCodecs: [{ kind: 'video', mimeType: 'video/VP8', clockRate: 90_000 }],
  });
  const listenInfo = { protocol: 'udp', ip } as const;
  const sending = await router.createPlainTransport({ listenInfo, comedia: false });
  await sending.connect({ ip, port: senderPort });
  const producer = await sending.produce({ kind: 'video', rtpParameters: rtpParameters(ssrc) as types.RtpParameters });
  const all: types.Consumer[] = [];
  for (let i = 0; i < consumers; i++) {
    const transport = await router.createPlainTransport({ listenInfo, comedia: false });
    await transport.connect({ ip, port: sinkPort });
    const rtpCapabilities = vp8Capabilities(router.rtpCapabilities.codecs ?? []);
    all.push(await transport.consume({ producerId: producer.id, rtpCapabilities }));
  }
  const count = async (): Promise<number> => {
    const stats = await Promise.all(all.map((consumer) => consumer.getStats()));
    const sent = stats.flat().filter(({ type }) => type === 'outbound-rtp');
    return sent.reduce((sum, { packetCount }) => sum + packetCount, 0);
  };
  return { port: sending.tuple.localPort, workerPid: worker.pid, count };
}

let built: Built | undefined;
process.on('message', async (message: SutOptions | 'count') => {
  if (message === 'count') {
    process.send?.({ packetsSent: (await built?.count()) ?? 0 } satisfies SutCount);
    return;
  }
  built = await (message.role === 'gateway' ? buildGateway(message) : buildBare(message));
  process.send?.({ port: built.port, workerPid: built.workerPid } satisfies SutReady);
});
process.on('disconnect', () => process.exit());
