// CPU for each packet that the SFU forwards: the gateway's room ÷ the same fan-out on a bare mediasoup script.
//
//   node scripts/run.mjs node bench/sfu-forward.ts [consumers]
//
// One producer of 210 packets of 1200 bytes a second (720p30 at 2 Mbit/s) to N plain consumers that end in one UDP socket.
// Both ends live through the whole run and get the same load in turns, so that a busy machine touches both alike. The CPU
// of each is that of its Node process and its mediasoup-worker, by the scheduler's own clock. About 75 s.
import { fork } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { cpuMsOf, median } from './process-usage.ts';
import type { Role, SutCount, SutOptions, SutReady } from './sfu-forward-sut.ts';

const consumers = Number(process.argv[2] ?? 100);
const rounds = 9;
const roundMs = 4_000;
const packetsPerFrame = 7;
const frameMs = 1_000 / 30;
const packetBytes = 1_200;

interface Sut {
  readonly role: Role;
  readonly ssrc: number;
  readonly port: number;
  readonly pids: readonly number[];
  readonly usPerPacket: number[];
  count(): Promise<number>;
  close(): void;
}

async function bind(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

async function startSut(role: Role, ssrc: number, senderPort: number, sinkPort: number): Promise<Sut> {
  const child = fork(new URL('./sfu-forward-sut.ts', import.meta.url));
  const ask = async <T>(message: SutOptions | 'count'): Promise<T> => {
    child.send(message);
    return (await once(child, 'message'))[0] as T;
  };
  const { port, workerPid } = await ask<SutReady>({ role, consumers, ssrc, senderPort, sinkPort });
  return {
    role,
    ssrc,
    port,
    pids: [child.pid ?? 0, workerPid],
    usPerPacket: [],
    count: async () => (await ask<SutCount>('count')).packetsSent,
    close: () => child.disconnect(),
  };
}

/** A socket that is read and forgotten, in a thread of its own. */
async function startSink(): Promise<{ port: number; sink: Worker }> {
  const code = `
    const { parentPort } = require('node:worker_threads');
    const socket = require('node:dgram').createSocket('udp4');
    socket.on('message', () => {});
    socket.bind(0, '127.0.0.1', () => parentPort.postMessage(socket.address().port));`;
  const sink = new Worker(code, { eval: true });
  const [port] = (await once(sink, 'message')) as [number];
  return { port, sink };
}

const packet = Buffer.alloc(packetBytes);
let sequence = 0;
let frame = 0;

/** @returns packets sent to the producer */
async function sendFor(socket: Socket, sut: Sut, durationMs: number): Promise<number> {
  const beganMs = performance.now();
  let sent = 0;
  for (let due = 0; performance.now() - beganMs < durationMs; due++) {
    await sleep(Math.max(0, beganMs + due * frameMs - performance.now()));
    frame++;
    for (let i = 0; i < packetsPerFrame; i++) {
      packet[0] = 0x80;
      packet[1] = 96 | (i === packetsPerFrame - 1 ? 0x80 : 0);
      packet.writeUInt16BE(sequence++ & 0xffff, 2);
      packet.writeUInt32BE((frame * 3_000) >>> 0, 4);
      packet.writeUInt32BE(sut.ssrc, 8);
      // VP8: start of partition 0 on the first packet; every frame a key frame, so that no consumer waits for one.
      packet[12] = i === 0 ? 0x10 : 0x00;
      packet[13] = 0x10;
      socket.send(Buffer.from(packet), sut.port, '127.0.0.1');
      sent++;
    }
  }
  return sent;
}

async function measureRound(socket: Socket, sut: Sut): Promise<void> {
  const before = await sut.count();
  const cpuBefore = cpuMsOf(sut.pids);
  const sent = await sendFor(socket, sut, roundMs);
  await sleep(100); // what is under way
  const cpuMs = cpuMsOf(sut.pids) - cpuBefore;
  const forwarded = (await sut.count()) - before;
  if (forwarded < sent * consumers * 0.99) throw new Error(`${sut.role} forwarded ${forwarded} of ${sent * consumers}`);
  sut.usPerPacket.push((cpuMs * 1_000) / forwarded);
}

const socket = await bind();
const { port: sinkPort, sink } = await startSink();
const senderPort = socket.address().port;
const gateway = await startSut('gateway', 1_001, senderPort, sinkPort);
const bare = await startSut('bare', 2_002, senderPort, sinkPort);
for (const sut of [gateway, bare]) await sendFor(socket, sut, 1_500); // warm-up
for (let round = 0; round < rounds; round++) {
  // Who goes first changes, so that neither always follows the other.
  const order = round % 2 === 0 ? [gateway, bare] : [bare, gateway];
  for (const sut of order) await measureRound(socket, sut);
}
const describe = ({ role, usPerPacket }: Sut): string =>
  `${role}: ${median(usPerPacket).toFixed(2)} us/packet (${Math.min(...usPerPacket).toFixed(2)} to ${Math.max(...usPerPacket).toFixed(2)})`;
console.log(
  `sfu-forward: 1 producer of 210 packets/s x ${packetBytes} B to ${consumers} plain consumers, ${rounds} rounds`,
);
console.log(describe(gateway));
console.log(describe(bare));
const ratios = gateway.usPerPacket.map((us, i) => us / (bare.usPerPacket[i] ?? Number.NaN));
console.log(`ratio of medians: ${(median(gateway.usPerPacket) / median(bare.usPerPacket)).toFixed(3)} (goal <= 1.05)`);
console.log(`median of the ratios of each round: ${median(ratios).toFixed(3)}`);
for (const sut of [gateway, bare]) sut.close();
await sink.terminate();
socket.close();
