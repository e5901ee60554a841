import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { SipServer } from '../index.ts';
import { FrameReader, frame } from './frames.ts';

describe('frames', () => {
  test('are read alike wherever the stream is cut', () => {
    const stream = Buffer.from(['a|ping', 'grüße|x', 'b|sip|||\r\nX'].map(frame).join(''));
    for (let cut = 0; cut <= stream.length; cut++) {
      const got: string[] = [];
      const reader = new FrameReader((payload) => got.push(payload));
      assert.ok(reader.push(stream.subarray(0, cut)) && reader.push(stream.subarray(cut)));
      assert.deepEqual(got, ['a|ping', 'grüße|x', 'b|sip|||\r\nX']);
    }
  });

  test.each(['x#a', '-1#a', '0#', '100000#', '123456', '99999999#', '#'])('"%s" breaks the stream', (text) => {
    const reader = new FrameReader(() => assert.fail('no frame'));
    assert.equal(reader.push(Buffer.from(text)), false);
  });
});

describe('the control port', () => {
  let server: SipServer;
  beforeAll(async () => {
    server = await SipServer.create({ hosts: ['127.0.0.1'], port: 0 });
  });
  afterAll(() => server.close());

  async function open(): Promise<Socket> {
    const socket = connect(server.control.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  }
  async function say(socket: Socket, ...payloads: string[]): Promise<string> {
    socket.write(payloads.map(frame).join(''));
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk.toString();
  }
  const authenticate = (): string => `1|authenticate|${server.control.secret}|`;

  test.each([
    'route|invite',
    'ping',
    'sip|||\r\nOPTIONS sip:a@127.0.0.1 SIP/2.0\r\n\r\n',
    'authenticate|wrong|',
    'proxy|t|||||||x',
  ])('before authenticate "%s" is refused and the connection closed', async (verb) => {
    const socket = await open();
    assert.match(await say(socket, `1|${verb}`), /\|response\|1\|NO\|/);
    await once(socket, 'close');
  });

  test('authenticate is answered with where it listens', async () => {
    const socket = await open();
    assert.match(
      await say(socket, authenticate()),
      /response\|1\|OK\|udp\/127\.0\.0\.1:\d+,tcp\/127\.0\.0\.1:\d+\|v\d+\.\d+\.\d+/,
    );
    assert.match(await say(socket, '2|ping'), /response\|2\|OK\|pong/);
    socket.destroy();
  });

  test('what is malformed is refused by name', async () => {
    const socket = await open();
    await say(socket, authenticate());
    const cases: [string, RegExp][] = [
      ['sip|||\r\nnot sip at all', /NOK\|malformed/],
      ['sip|nosuch||\r\nSIP/2.0 200 OK\r\n\r\n', /NOK\|Response not sent due to unknown transaction/],
      [
        'sip||a;from-tag=b|\r\nBYE sip:placeholder SIP/2.0\r\n\r\n',
        /NOK\|unable to find dialog for dialog id provided/,
      ],
      ['sip|nosuch||\r\nCANCEL sip:a@b SIP/2.0\r\n\r\n', /NOK\|unable to cancel unknown transaction id/],
      ['sip|||\r\nINVITE nonsense SIP/2.0\r\n\r\n', /NOK\|invalid request-uri/],
      ['sip|||\r\nMESSAGE sip:a@127.0.0.1:9 SIP/2.0\r\n\r\nhello', /NOK\|missing content-type/],
      [
        `sip|||\r\nOPTIONS sip:a@127.0.0.1:${server.listenPoints[0]?.port} SIP/2.0\r\n\r\n`,
        /NOK\|can not send request to myself/,
      ],
    ];
    for (const [text, expected] of cases) assert.match(await say(socket, `9|${text}`), expected);
    assert.match(await say(socket, '9|dance'), /NO\|unknown verb/);
    await once(socket, 'close');
  });

  test('noise of any kind leaves the server alive', async () => {
    // As `unit: 'binary'`, which takes seconds to begin.
    const codePoints = fc.array(fc.nat(0x10ffff), { maxLength: 200 });
    const noise = fc.sample(
      fc.oneof(
        fc.string({ maxLength: 200 }),
        codePoints.map((codes) => String.fromCodePoint(...codes)),
      ),
      100,
    );
    const shout = async (text: string) => {
      const socket = await open();
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(frame(authenticate()));
      socket.end(frame(`x|sip|||\r\n${text || 'x'}`));
      await once(socket, 'close');
    };
    await Promise.all(noise.map(shout));
    const socket = await open();
    assert.match(await say(socket, authenticate()), /OK/);
    socket.destroy();
  });
});
