// What rooms cost while nobody speaks: memory, creation rate, and the CPU of doing nothing.
//
//   node scripts/run.mjs node bench/rooms.ts [rooms]
//
// N rooms of two participants, with the objects that the gateway makes for them (Room, Participant, Publication,
// Subscription over the SFU): each has a WebRTC transport to send and one to receive, publishes audio and video, and
// receives both of the other. No client is behind the transports, so no media flows. About 30 s for 1000 rooms.
import { setTimeout as sleep } from 'node:timers/promises';
import { configSchema } from '#config/schema.ts';
import { defaultRoles } from '#core/grants.ts';
import { newRoomId } from '#core/ids.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger } from '#core/ports.ts';
import { Room } from '#core/room.ts';
import type { RtpParameters } from '#core/rtp.ts';
import { createSfu } from '#sfu/index.ts';
import { cpuMsOf, median, residentBytesOf } from './process-usage.ts';

const roomCount = Number(process.argv[2] ?? 1_000);
const idleMs = 10_000;
/** As many joins at once as a busy moment brings. */
const concurrency = 8;

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: console.warn,
  error: console.error,
  child: () => silent,
};
const audio: RtpParameters = {
  mid: '0',
  codecs: [{ mimeType: 'audio/opus', payloadType: 111, clockRate: 48_000, channels: 2 }],
  headerExtensions: [{ uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', id: 1 }],
  encodings: [{ ssrc: 1_001 }],
  rtcp: { cname: 'bench' },
};
const video: RtpParameters = {
  mid: '1',
  codecs: [{ mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000, rtcpFeedback: [{ type: 'nack' }] }],
  encodings: ['q', 'h', 'f'].map((rid) => ({ rid, scalabilityMode: 'L1T3' })),
  rtcp: { cname: 'bench' },
};

const sfu = await createSfu(
  { ...configSchema.parse({}).sfu, firstPort: 0, listen: [{ ip: '127.0.0.1' }] },
  { log: silent },
);
const rooms: Room[] = [];
const roomMs: number[] = [];

async function makeRoom(index: number): Promise<void> {
  const beganMs = performance.now();
  const settings = { maxParticipants: -1, inputLimit: -1, lastN: -1, emptyTimeoutMs: 1e6 };
  const record = { ...settings, displayName: '', roles: defaultRoles, metadata: {}, createdAtMs: 0 };
  const room = await Room.create({ ...record, id: newRoomId(), name: `room-${index}` }, sfu, silent);
  const both = ['alice', 'bob'].map((user) =>
    room.join({ kind: 'webrtc', user, displayName: user, role: 'presenter' }),
  ) as [Participant, Participant];
  for (const participant of both) {
    const sending = await participant.createTransport();
    await participant.publish(sending, { kind: 'audio', source: 'microphone', rtpParameters: audio });
    await participant.publish(sending, { kind: 'video', source: 'camera', rtpParameters: video });
  }
  for (const [participant, other] of [both, both.toReversed()] as [Participant, Participant][]) {
    const receiving = await participant.createTransport();
    for (const publication of other.publications.values()) {
      const { rtpCapabilities } = room.media;
      const subscription = await participant.subscribe(receiving, publication, { rtpCapabilities });
      await subscription.resume();
    }
  }
  roomMs.push(performance.now() - beganMs);
  rooms.push(room);
}

const workers = async (): Promise<number[]> => (await sfu.describeWorkers()).map(({ pid }) => pid);
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
const resident = (pids: readonly number[]): number => pids.reduce((sum, pid) => sum + residentBytesOf(pid), 0);

const pids = await workers();
const before = { control: resident([process.pid]), workers: resident(pids), cpuMs: cpuMsOf([process.pid, ...pids]) };
const beganMs = performance.now();
let next = 0;
await Promise.all(
  Array.from({ length: concurrency }, async () => {
    while (next < roomCount) await makeRoom(next++);
  }),
);
const tookMs = performance.now() - beganMs;
const created = { cpuMs: cpuMsOf([process.pid, ...pids]) - before.cpuMs };
const perSecond = (count: number): string => (count / (tookMs / 1_000)).toFixed(0);
console.log(
  `rooms: ${roomCount} x 2 participants, ${pids.length} workers; ${roomCount * 4} transports, ${roomCount * 8} streams`,
);
console.log(
  `creation: ${perSecond(roomCount)} rooms/s, ${perSecond(roomCount * 2)} participants/s, ${tookMs.toFixed(0)} ms in all`,
);
console.log(`one room with its two participants: ${median(roomMs).toFixed(1)} ms median at ${concurrency} at once`);
console.log(`CPU of creation: ${(created.cpuMs / roomCount).toFixed(2)} ms/room, control and workers`);

await sleep(1_000); // what creation has left to do
const idleBefore = { control: cpuMsOf([process.pid]), workers: cpuMsOf(pids) };
await sleep(idleMs);
const idle = (now: number, then: number): string => (((now - then) / idleMs) * 100).toFixed(2);
console.log(`idle over ${idleMs / 1_000} s: control ${idle(cpuMsOf([process.pid]), idleBefore.control)} % of a core`);
console.log(`idle over ${idleMs / 1_000} s: workers ${idle(cpuMsOf(pids), idleBefore.workers)} % of a core, together`);
const control = resident([process.pid]);
const inWorkers = resident(pids);
console.log(`memory of control: ${megabytes(control)} (${megabytes(before.control)} before)`);
console.log(`memory of workers: ${megabytes(inWorkers)} (${megabytes(before.workers)} before)`);
const grown = control + inWorkers - before.control - before.workers;
console.log(`memory of a room: ${(grown / roomCount / 1e3).toFixed(0)} kB`);
const closingMs = performance.now();
await Promise.all(rooms.map((room) => room.close()));
console.log(`closing all rooms: ${(performance.now() - closingMs).toFixed(0)} ms`);
await sfu.close();
