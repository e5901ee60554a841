// Owns: those who attack in bench/telephony-attack.ts: they guess, scan and flood, from many addresses, at a steady rate. Runs in a
// process of its own, told by one message and answering with one.
import { setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Challenge } from '#gateways/sip/digest.ts';
import { phoneSdp } from '#test/support/calling-phone.ts';
import { challengeOf, SipSource, statusOf } from '#test/support/sip-source.ts';

export interface WaveOrder {
  readonly kind: keyof typeof waves;
  readonly addresses: readonly string[];
  /** Attempts of all addresses together. */
  readonly perSecond: number;
  readonly seconds: number;
  readonly serverPort: number;
}

export interface WaveResult {
  readonly beganAtMs: number;
  readonly attempts: number;
  /** Final answers by status. */
  readonly answers: Readonly<Record<string, number>>;
  /** Of the one that had most: attempts that were looked at and found wrong, rather than turned away or dropped. */
  readonly mostTried: number;
}

interface Attacker {
  readonly source: SipSource;
  tried: number;
  /** Calls that have been answered. */
  readonly calls: Set<string>;
  nonceCount: number;
  challenge: Challenge | undefined;
}

const tickMs = 5;
/** What is still under way when the last attempt was sent. */
const lastAnswersMs = 500;
const floodBody = phoneSdp(9).replaceAll('\n', '\r\n');
let pin = 0;

const waves = {
  scanners: ({ source }: Attacker) => source.send('OPTIONS', { headers: ['User-Agent: friendly-scanner'] }),
  passwords: (attacker: Attacker) => {
    const { source, challenge } = attacker;
    if (!challenge) return source.send('REGISTER');
    const credentials = { username: 'alice', password: `guess-${Math.random()}` };
    const proof = source.proof('REGISTER', challenge, credentials, { nonceCount: attacker.nonceCount++ });
    source.send('REGISTER', { headers: [`Authorization: ${proof}`] });
  },
  pins: ({ source }: Attacker) => {
    pin = (pin + 1) % 1_000_000;
    source.send('INVITE', { service: `locked*${String(pin).padStart(6, '0')}`, body: floodBody });
  },
  /** Calls a room that asks for a PIN, and nothing comes after the INVITE: not even ACK. */
  flood: ({ source }: Attacker) => source.send('INVITE', { service: 'lobby', body: floodBody }),
};

// They are on other machines.
setPriority(0);
process.once('message', (order: WaveOrder) => void attack(order));

async function attack({ kind, addresses, perSecond, seconds, serverPort }: WaveOrder): Promise<void> {
  const answers: Record<string, number> = {};
  const attackers = await Promise.all(
    addresses.map(async (address): Promise<Attacker> => {
      const service = kind === 'passwords' ? 'alice' : 'locked';
      const source = await SipSource.open({
        address,
        serverPort,
        from: kind === 'passwords' ? 'alice' : 'eve',
        service,
      });
      const attacker: Attacker = { source, tried: 0, calls: new Set(), nonceCount: 1, challenge: undefined };
      source.socket.on('message', (data) => hear(attacker, data.toString()));
      return attacker;
    }),
  );
  function hear(attacker: Attacker, text: string): void {
    const status = statusOf(text);
    if (status < 200) return;
    answers[status] = (answers[status] ?? 0) + 1;
    if (status === 401) attacker.challenge ??= challengeOf(text);
    // A wrong PIN that is dialled along is answered with the question for one.
    const call = /^Call-ID: *(\S+)/im.exec(text)?.[1] ?? '';
    // Nobody acknowledges, so a 200 comes several times.
    const isNew = kind === 'passwords' || !attacker.calls.has(call);
    if (isNew && (kind === 'passwords' ? status === 403 : status === 200)) attacker.tried += 1;
    if (kind !== 'passwords') attacker.calls.add(call);
    // What an attacker pays for guesses: the call is ended, the next begins.
    if (kind === 'pins' && /^CSeq: *\d+ *INVITE/im.test(text)) attacker.source.leave(text);
  }

  const beganMs = performance.now();
  const beganAtMs = Date.now();
  let attempts = 0;
  for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs = performance.now() - beganMs) {
    for (const due = (elapsedMs * perSecond) / 1_000; attempts < due; attempts++) {
      waves[kind](attackers[attempts % attackers.length] as Attacker);
    }
    await delay(tickMs);
  }
  await delay(lastAnswersMs);
  for (const { source } of attackers) source.close();
  const result: WaveResult = {
    beganAtMs,
    attempts,
    answers,
    mostTried: Math.max(...attackers.map(({ tried }) => tried)),
  };
  process.send?.(result, () => process.exit(0));
}
