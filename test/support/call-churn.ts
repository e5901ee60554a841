// Owns: phones that come and go by the thousand: whole calls into a room, each with a leg of its own, and what they leave.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { TestGateway } from './gateway.ts';
import { ack, ackFailure, bye, invite, pause, recv, sdpOf, sipp } from './sipp.ts';

/** For its calls: none of these is given to anybody who asks the system for some port. */
export const churnRtp = { listenAddress: '127.0.0.1', firstPort: 24_000, lastPort: 27_999 };

export interface Leftovers {
  readonly legs: number;
  /** UDP ports of `churnRtp` that its processes hold. */
  readonly ports: number;
  readonly dialogs: number;
  readonly pendingInbound: number;
  readonly pendingOutbound: number;
  readonly connections: number;
  readonly serverTransactions: number;
  readonly clientTransactions: number;
  readonly internalErrors: number;
  /** Phones that are in rooms still. */
  readonly participants: number;
}

const trying = [recv(100, { optional: true }), recv(180, { optional: true })];
const answered = [invite(), ...trying, recv(200, { rrs: true }), ack(), pause(100), bye(), recv(200)].join('\n');
const refused = [invite({ body: sdpOf().replace('AVP 0', 'AVP 18') }), ...trying, recv(488), ackFailure(1, 4)].join(
  '\n',
);

/** Every fifth call has no codec of ours; the rest talk for 100 ms, over UDP and TCP by turns. Rejects when one fails. */
export async function churn(gateway: TestGateway, calls: number, perSecond: number): Promise<void> {
  const points = gateway.app.sip.listenPoints;
  const target = (protocol: string) => `127.0.0.1:${points.find((point) => point.protocol === protocol)?.port}`;
  const share = { service: 'demo', timeoutSec: Math.ceil(calls / perSecond) + 60 };
  const args = ['-max_socket', '1000', '-buff_size', '4000000'];
  const part = (portion: number, scenario: string, transport: 'udp' | 'tcp') =>
    sipp({
      ...{ ...share, scenario, transport, args },
      target: target(transport),
      calls: Math.round(calls * portion),
      rate: Math.max(1, Math.round(perSecond * portion)),
    });
  await Promise.all([part(0.4, answered, 'udp'), part(0.4, answered, 'tcp'), part(0.2, refused, 'udp')]);
}

export function leftoversOf({ app }: TestGateway): Leftovers {
  const stats = app.sip.serverStats;
  if (!stats) throw new Error('The embedded SIP server is not here.');
  const { dialogs, pendingInbound, pendingOutbound, connections } = stats;
  const { serverTransactions, clientTransactions, internalErrors } = stats;
  const phones = [...app.rooms.liveRooms()].flatMap(({ participants }) =>
    [...participants.values()].filter(({ kind }) => kind === 'sip'),
  );
  return {
    legs: app.phones.legs.size,
    ports: heldPorts([process.pid, ...app.media.describeWorkers().map(({ pid }) => pid)]),
    ...{ dialogs, pendingInbound, pendingOutbound, connections },
    ...{ serverTransactions, clientTransactions, internalErrors },
    participants: phones.length,
  };
}

function heldPorts(pids: readonly number[]): number {
  const sockets = new Set(pids.flatMap(socketsOf));
  const [, ...lines] = readFileSync('/proc/net/udp', 'utf8').trim().split('\n');
  return lines.filter((line) => {
    const [, local = '', , , , , , , , inode = ''] = line.trim().split(/\s+/);
    const port = Number.parseInt(local.split(':')[1] ?? '', 16);
    return port >= churnRtp.firstPort && port <= churnRtp.lastPort && sockets.has(inode);
  }).length;
}

/** Inodes. */
function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        // Closed meanwhile.
        return [];
      }
    });
  } catch {
    // A spare worker that was let go.
    return [];
  }
}

/** Waits for the last timers and connections to be over; returns what is left then. */
export async function settled(gateway: TestGateway, timeoutMs: number): Promise<Leftovers> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const left = leftoversOf(gateway);
    if (Object.values(left).every((count) => count === 0) || performance.now() > deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
