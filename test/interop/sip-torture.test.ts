// Each torture message of RFC 4475 and RFC 5118 to a server of its own, and what comes back: as the RFCs say for who is
// nobody's proxy and no registrar.
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, test } from 'vitest';
import { startLink } from '#test/support/sip-link-app.ts';
import { rfc4475, rfc5118, type TortureMessage } from '#test/support/sip-torture.ts';
import { sdp } from '#test/support/sipp-app.ts';

/** What the application answers to those that reach it; the rest is refused as the table of the messages says. */
const answered: Readonly<Record<string, number>> = {
  // In no dialog of ours.
  wsinv: 481,
  'via-received-param-with-delim': 481,
  'mult-ip-in-header': 481,
  // A method, a body, an answer and a registrar that are not here.
  intmeth: 405,
  esc02: 405,
  escnull: 405,
  dblreq: 405,
  mpart01: 405,
  unksm2: 405,
  regaut01: 405,
  cparam01: 405,
  cparam02: 405,
  regescrt: 405,
  'ipv6-good': 405,
  'port-ambiguous': 405,
  'port-unambiguous': 405,
  invut: 415,
  sdp01: 406,
};

const expectedHeaders: Readonly<Record<number, RegExp>> = {
  405: /^Allow: .*INVITE/m,
  406: /^Accept: application\/sdp/m,
  415: /^Accept: application\/sdp/m,
  420: /^Unsupported: nothingSupportsThis, nothingSupportsThisEither\r$/im,
};

/** Noise, and responses that answer nothing of ours. */
const isSilent = ({ expected, bytes }: TortureMessage): boolean =>
  expected === 'drop' || bytes.toString('latin1', 0, 4) === 'SIP/';

const probe = [
  'OPTIONS sip:probe@127.0.0.1 SIP/2.0',
  'Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKprobe',
  'From: <sip:probe@127.0.0.1>;tag=1',
  'To: <sip:probe@127.0.0.1>',
  'Call-ID: probe',
  'CSeq: 1 OPTIONS',
  '',
  '',
].join('\r\n');

/** The final answer; undefined when a request sent after it was answered and it was not. */
async function answerTo(message: TortureMessage): Promise<string | undefined> {
  const app = await startLink('embedded');
  const socket = createSocket('udp4');
  try {
    app.sip.link.onCall((call) => void call.answer(sdp, () => undefined).catch(() => undefined));
    app.sip.link.onRequest((request) => {
      const isKnown = request.method === 'OPTIONS';
      request.respond(isKnown ? 200 : 405, isKnown ? {} : { headers: { allow: 'INVITE, OPTIONS' } });
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const [host, port] = app.target.split(':');
    socket.send(message.bytes, Number(port), host);
    if (isSilent(message)) socket.send(probe, Number(port), host);
    const signal = AbortSignal.timeout(8000);
    for (;;) {
      const [bytes] = (await once(socket, 'message', { signal })) as [Buffer];
      const text = bytes.toString('utf8');
      if (/^SIP\/2.0 1/.test(text)) continue;
      return text.includes('Call-ID: probe') ? undefined : text;
    }
  } finally {
    socket.close();
    await app.close();
  }
}

describe.each([
  ['RFC 4475', rfc4475],
  ['RFC 5118', rfc5118],
])('%s over UDP', (_rfc, messages) => {
  const outcomeOf = (message: TortureMessage) => {
    if (isSilent(message)) return 'no answer';
    return message.expected === 'accept' ? (answered[message.name] ?? 200) : message.expected;
  };
  test.each(messages.map((message) => [message.section, message.name, outcomeOf(message), message] as const))(
    '§%s %s: %s',
    async (_section, _name, expected, message) => {
      const heard = await answerTo(message);
      if (expected === 'no answer') {
        assert.equal(heard, undefined);
        return;
      }
      const status = Number(/^SIP\/2.0 (\d{3})/.exec(heard ?? '')?.[1]);
      assert.equal(status, expected, heard);
      assert.match(heard ?? '', expectedHeaders[status] ?? /^Via: /im);
      // The sender knows by these which request it was, however it was written.
      const callId = /^(?:call-id|i) *: *(.+)\r$/im.exec(message.bytes.toString('utf8'))?.[1];
      if (callId !== undefined) assert.ok(heard?.includes(`Call-ID: ${callId}\r\n`), heard);
    },
  );
});
