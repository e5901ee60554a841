// Owns: a first look at FreeSWITCH's event socket: whether it is there, lets us in, and has our SIP profile. drachtio-fsmrf
// says nothing of a wrong password, and throws where nobody can catch it for a profile that is not there.
import { connect } from 'node:net';
import type { FreeSwitchSettings } from './thread-messages.ts';

const maxBytes = 262_144;
const timeoutMs = 5_000;

interface EslMessage {
  readonly contentType: string;
  readonly replyText: string;
  readonly body: string;
}

/** @throws Error in words for whoever configured it */
export async function probeEventSocket({ host, port, password, profile }: FreeSwitchSettings): Promise<void> {
  const at = `${host}:${port}`;
  const socket = connect({ host, port });
  const timer = setTimeout(() => socket.destroy(new Error('it does not answer')), timeoutMs);
  try {
    const messages = readMessages(socket);
    const greeting = await next(messages);
    if (greeting.contentType === 'text/rude-rejection') throw new Error('its access list refuses this machine');
    if (greeting.contentType !== 'auth/request') throw new Error('that is no event socket');
    socket.write(`auth ${password}\n\n`);
    const { replyText } = await next(messages);
    if (!replyText.startsWith('+OK')) throw new Error('it refuses the password (sip.freeswitch.password)');
    socket.write('api sofia status\n\n');
    const { body } = await next(messages);
    if (!hasProfile(body, profile)) throw new Error(`it has no SIP profile "${profile}" that runs on an IPv4 address`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`FreeSWITCH at ${at} cannot be used: ${why}.`, { cause });
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

/** The line of `sofia status` that drachtio-fsmrf looks for. */
export function hasProfile(status: string, profile: string): boolean {
  return status.split('\n').some((line) => {
    const [name = ''] = line.trim().split(/\s+/);
    return name === profile && /\ssip:mod_sofia@(?:\d{1,3}\.){3}\d{1,3}:\d+/.test(line);
  });
}

async function next(messages: AsyncIterator<EslMessage>): Promise<EslMessage> {
  const { value, done } = await messages.next();
  if (done) throw new Error('it closed the connection');
  return value;
}

async function* readMessages(source: AsyncIterable<Buffer>): AsyncGenerator<EslMessage, undefined> {
  let buffer = Buffer.alloc(0);
  for await (const piece of source) {
    buffer = Buffer.concat([buffer, piece]);
    for (let read = takeMessage(buffer); read; read = takeMessage(buffer)) {
      buffer = read.rest;
      yield read.message;
    }
    if (buffer.length > maxBytes) throw new Error('it says more than an event socket would');
  }
  return undefined;
}

/** Header lines, an empty line, and as much body as Content-Length says; undefined before it is whole. */
export function takeMessage(
  buffer: Buffer<ArrayBuffer>,
): { message: EslMessage; rest: Buffer<ArrayBuffer> } | undefined {
  const end = buffer.indexOf('\n\n');
  if (end < 0) return undefined;
  const head = buffer.toString('utf8', 0, end);
  const header = (name: string) => new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1] ?? '';
  const length = Number.parseInt(header('Content-Length'), 10) || 0;
  const bodyAt = end + 2;
  if (buffer.length < bodyAt + length) return undefined;
  const body = buffer.toString('utf8', bodyAt, bodyAt + length);
  const message = { contentType: header('Content-Type'), replyText: header('Reply-Text'), body };
  return { message, rest: buffer.subarray(bodyAt + length) };
}
