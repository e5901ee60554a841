// Owns: phones that call a gateway in tests: SIPp signals, PhonePeer sends and hears.
import { once } from 'node:events';
import type { PromptName } from '#core/leg-media.ts';
import type { Participant } from '#core/participant.ts';
import type { Room } from '#core/room.ts';
import type { TestGateway } from './gateway.ts';
import { PhonePeer } from './phone-peer.ts';
import { likeness } from './prompt-match.ts';
import { ack, ackFailure, bye, invite, recv, recvRequest, response, type SippRun, startSipp } from './sipp.ts';

export const phoneSdp = (port: number, direction = 'sendrecv') =>
  `v=0\no=phone 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio ${port} RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\na=${direction}\n`;

export const answered = [
  recv(100, { optional: true }),
  recv(180, { optional: true }),
  recv(200, { rrs: true }),
  ack(),
].join('\n');
export const hangUp = [bye(), recv(200)].join('\n');
export const refusedWith = (status: number, expect: Record<string, string>) =>
  [invite(), recv(100, { optional: true }), recv(status, { expect }), ackFailure()].join('\n');
export const byeComes = (reason: string) =>
  [recvRequest('BYE', { expect: { Reason: reason } }), response('200 OK', { tag: false })].join('\n');

/** Where a gateway of a test takes calls, `127.0.0.1:port`. */
export function sipAddressOf({ app }: TestGateway): string {
  return `127.0.0.1:${app.sip.listenPoints.find(({ protocol }) => protocol === 'udp')?.port}`;
}

export interface CallingPhone {
  readonly phone: PhonePeer;
  readonly run: SippRun;
  close(): void;
}

/** A phone whose call is answered and that sends its tone; `rest` is what SIPp does after the answer. */
export async function callWithPhone(
  gateway: TestGateway,
  service: string,
  rest: string,
  { toneHz = 0, headers = [] as readonly string[] } = {},
): Promise<CallingPhone> {
  const phone = await PhonePeer.open({ codec: 'pcmu', toneHz, levelDbov: -20 });
  const body = phoneSdp(phone.parameters().remotePort);
  const scenario = [invite({ body, headers }), answered, rest].join('\n');
  const run = startSipp({ target: sipAddressOf(gateway), service, scenario, timeoutSec: 90 });
  await phone.until(({ packets }) => packets.length > 0);
  phone.talkTo([...gateway.app.phones.legs.values()].at(-1)?.localPort ?? 0);
  return { phone, run, close: () => phone.close() };
}

/** Looks at each second of what it hears once, with what came just before. @throws when the call ends without it */
export async function untilHeard(
  { phone, run }: Pick<CallingPhone, 'phone' | 'run'>,
  prompt: PromptName,
  language?: string,
): Promise<void> {
  let isOver = false;
  const over = run.done.then(() => {
    isOver = true;
  });
  for (let scanned = 0; ; ) {
    const wasOver = isOver;
    const { samples } = phone;
    const count = phone.packets.length;
    if (likeness(samples.subarray(Math.max(0, scanned - 8_000)), prompt, language) > 0.7) return;
    if (wasOver) throw new Error(`The call is over, and ${prompt} was not heard.`);
    scanned = samples.length;
    await Promise.race([over, phone.until((now) => now.packets.length > count + 50)]);
  }
}

/** The next phone in the room; the mixer joins hidden before the first. */
export async function nextPhone(room: Room): Promise<Participant> {
  for (;;) {
    const [participant] = (await once(room.events, 'participantJoined', {
      signal: AbortSignal.timeout(60_000),
    })) as [Participant];
    if (participant.kind === 'sip') return participant;
  }
}
