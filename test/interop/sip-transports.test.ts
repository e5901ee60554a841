import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { generate } from 'selfsigned';
import { afterEach, beforeAll, describe, test } from 'vitest';
import { WebSocket } from 'ws';
import { defaultTransportLimits } from '#gateways/sip/server/index.ts';
import { freePort, whenListening } from '#test/support/ports.ts';
import { ack, bye, invite, pause, recv, recvRequest, response, sdpOf, sipp, startSipp } from '#test/support/sipp.ts';
import { type AppUnderTest, installBehaviours, sdp, startApp } from '#test/support/sipp-app.ts';
import { bridgeFromTls, bridgeToTls } from '#test/support/tls-bridge.ts';

const basicCall = [
  invite(),
  recv(100, { optional: true }),
  recv(200, { rrs: true }),
  ack(),
  pause(50),
  bye(),
  recv(200),
].join('\n');

interface Made {
  readonly cert: string;
  readonly key: string;
}

async function certificate(name: string): Promise<Made> {
  const made = await generate([{ name: 'commonName', value: name }], {
    keySize: 2048,
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames: name === '127.0.0.1' ? [{ type: 7, ip: name }] : [{ type: 2, value: name }] },
    ],
  });
  return { cert: made.cert, key: made.private };
}

let open: AppUnderTest[] = [];
const start = async (...args: Parameters<typeof startApp>): Promise<AppUnderTest> => {
  const app = await startApp(...args);
  installBehaviours(app, () => 'sip:127.0.0.1:1');
  open.push(app);
  return app;
};
afterEach(async () => {
  await Promise.all(open.map((app) => app.close()));
  open = [];
});

function options(host: string, transport: string, id: string): string {
  return (
    `OPTIONS sip:x@${host} SIP/2.0\r\nVia: SIP/2.0/${transport} client.invalid;branch=z9hG4bK${id};rport\r\nMax-Forwards: 70\r\n` +
    `From: <sip:a@b>;tag=1\r\nTo: <sip:x@${host}>\r\nCall-ID: ${id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`
  );
}

async function read(socket: Socket, pattern: RegExp): Promise<string> {
  let text = '';
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString();
    if (pattern.test(text)) return text;
  }
  throw new Error(`ended after: ${text}`);
}

describe('TLS', () => {
  let server: Made;
  let other: Made;
  const scenario = [
    recvRequest('INVITE'),
    response('200 OK', { body: sdpOf(), retransMs: 500 }),
    recvRequest('ACK'),
    recvRequest('BYE'),
    response('200 OK', { tag: false }),
  ].join('\n');

  beforeAll(async () => {
    [server, other] = await Promise.all([certificate('127.0.0.1'), certificate('sip.example.org')]);
  });

  test('calls from SIPp over TLS, the way back over the same connection', async () => {
    const app = await start('embedded', {
      tls: { certificate: server, clientCertificates: 'none', verifiesServers: true },
    });
    const bridge = await bridgeToTls(app.tlsPort);
    await sipp({
      target: `127.0.0.1:${bridge.port}`,
      service: 'rering',
      scenario: [
        invite(),
        recv(100, { optional: true }),
        recv(200, { rrs: true }),
        ack(),
        recvRequest('INVITE'),
        response('200 OK', { tag: false, body: sdpOf() }),
        recvRequest('ACK'),
        recvRequest('BYE'),
        response('200 OK', { tag: false }),
      ].join('\n'),
      transport: 'tcp',
      calls: 3,
    });
    bridge.close();
    await app.saw('modified');
  });

  test('a call over TLS is made when the certificate is good for its name, and refused when not', async () => {
    const base = { clientCertificates: 'none', verifiesServers: true } as const;
    const call = async (ca: string | undefined): Promise<void> => {
      const port = await freePort();
      const run = startSipp({ scenario, localPort: port, transport: 'tcp' });
      await whenListening(port);
      const bridge = await bridgeFromTls({ cert: server.cert, key: server.key }, port);
      try {
        const app = await start('embedded', { tls: { ...base, certificate: other, ca } });
        const dialog = await app.srf.createUAC(`sip:x@127.0.0.1:${bridge.port};transport=tls`, { localSdp: sdp });
        assert.equal(dialog.res.protocol, 'tls');
        await dialog.destroy();
        await run.done;
      } finally {
        bridge.close();
        run.stop();
      }
    };
    await call(server.cert);
    await assert.rejects(call(undefined), { status: 503 });
    await assert.rejects(call(other.cert), { status: 503 });
  });

  test('a server that demands a certificate of its clients is shown ours; one that does not trust it is not called', async () => {
    const call = async (trusted: Made): Promise<void> => {
      const port = await freePort();
      const run = startSipp({ scenario, localPort: port, transport: 'tcp' });
      await whenListening(port);
      const bridge = await bridgeFromTls(
        { ...server, requestCert: true, rejectUnauthorized: true, ca: trusted.cert },
        port,
      );
      try {
        const tls = { certificate: other, ca: server.cert, clientCertificates: 'none', verifiesServers: true } as const;
        const app = await start('embedded', { tls });
        const dialog = await app.srf.createUAC(`sip:x@127.0.0.1:${bridge.port};transport=tls`, { localSdp: sdp });
        await dialog.destroy();
        await run.done;
      } finally {
        bridge.close();
        run.stop();
      }
    };
    await call(other);
    await assert.rejects(call(server), { status: 503 });
  });

  test('the name that the client asks for chooses the certificate', async () => {
    const serverNames = new Map([['sip.example.org', other]]);
    const app = await start('embedded', {
      tls: { certificate: server, serverNames, clientCertificates: 'none', verifiesServers: true },
    });
    const subjectFor = async (servername: string): Promise<unknown> => {
      const socket = connectTls({ host: '127.0.0.1', port: app.tlsPort, servername, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const subject = socket.getPeerCertificate().subject.CN;
      socket.destroy();
      return subject;
    };
    assert.equal(await subjectFor('sip.example.org'), 'sip.example.org');
    assert.equal(await subjectFor('elsewhere.example.org'), '127.0.0.1');
  });

  test('a client without the certificate that is required gets nothing', async () => {
    const app = await start('embedded', {
      tls: { certificate: server, ca: other.cert, clientCertificates: 'require', verifiesServers: true },
    });
    const attempt = async (client: Made | undefined): Promise<string> => {
      const socket = connectTls({ host: '127.0.0.1', port: app.tlsPort, rejectUnauthorized: false, ...client });
      socket.on('error', () => undefined);
      socket.write(options('127.0.0.1', 'TLS', 'mtls'));
      return read(socket, /\r\n\r\n/);
    };
    assert.match(await attempt(other), /^SIP\/2\.0 200/);
    await assert.rejects(attempt(undefined));
    await assert.rejects(attempt(server));
  });
});

describe('streams', () => {
  test('two messages in one segment, one message in many, keep-alives between', async () => {
    const app = await start();
    const [host = '', port = ''] = app.sip.split(':');
    const socket = connect(Number(port), host);
    const stream = `\r\n\r\n${options(host, 'TCP', 'one')}${options(host, 'TCP', 'two')}`;
    for (const piece of stream.match(/[\s\S]{1,7}/g) ?? []) socket.write(piece);
    const text = await read(socket, /Call-ID: two[\s\S]*\r\n\r\n/);
    assert.match(text, /^\r\nSIP\/2\.0 200/);
    assert.equal(text.match(/SIP\/2\.0 200 OK/g)?.length, 2);
    socket.destroy();
  });

  test('a stream without Content-Length is answered 400 and closed', async () => {
    const app = await start();
    const [host = '', port = ''] = app.sip.split(':');
    const socket = connect(Number(port), host);
    socket.write(options(host, 'TCP', 'nolength').replace('Content-Length: 0\r\n', ''));
    const chunks: Buffer[] = await socket.toArray();
    assert.match(Buffer.concat(chunks).toString(), /^SIP\/2\.0 400 Content-Length Required/);
  });

  test('more connections than an address may have are refused, and a message that never ends is cut', async () => {
    const limits = { ...defaultTransportLimits, maxConnectionsPerAddress: 2, messageTimeoutMs: 200 };
    const app = await start('embedded', { limits });
    const [host = '', port = ''] = app.sip.split(':');
    const sockets = await Promise.all(
      [0, 1].map(async () => {
        const socket = connect(Number(port), host);
        await once(socket, 'connect');
        return socket;
      }),
    );
    const third = connect(Number(port), host);
    third.on('error', () => undefined);
    await once(third, 'close');
    sockets[0]?.write('OPTIONS sip:x SIP/2.0\r\n');
    sockets[0]?.resume();
    await once(sockets[0] as Socket, 'close');
    assert.equal(app.server?.stats.refusedConnections, 1);
    sockets[1]?.destroy();
  });

  test('a request too big for one packet goes by TCP, and by UDP where there is no TCP', async () => {
    const app = await start();
    const scenario = [
      recvRequest('INVITE'),
      response('200 OK', { body: sdpOf(), retransMs: 500 }),
      recvRequest('ACK'),
      recvRequest('BYE'),
      response('200 OK', { tag: false }),
    ].join('\n');
    const long = `${sdp + 'a=x:'.padEnd(1200, 'y')}\r\n`;
    for (const transport of ['tcp', 'udp'] as const) {
      const port = await freePort();
      const run = startSipp({ scenario, localPort: port, transport });
      if (transport === 'tcp') await whenListening(port);
      const dialog = await app.srf.createUAC(`sip:x@127.0.0.1:${port}`, { localSdp: long });
      assert.equal(dialog.res.protocol, transport);
      await dialog.destroy();
      await run.done;
    }
  });
});

test('calls over IPv6', async () => {
  const app = await start('embedded', { hosts: ['::1'] });
  const target = app.sip;
  await sipp({ target, service: 'answer', scenario: basicCall, localAddress: '::1' });
  await app.saw('uas destroy');
  const scenario = [
    recvRequest('INVITE', { expect: { Via: '\\[::1\\]' } }),
    response('200 OK', { body: sdpOf(), retransMs: 500 }),
    recvRequest('ACK'),
    recvRequest('BYE'),
    response('200 OK', { tag: false }),
  ].join('\n');
  const port = await freePort();
  const run = startSipp({ scenario, localPort: port, localAddress: '::1' });
  const dialog = await app.srf.createUAC(`sip:x@[::1]:${port}`, { localSdp: sdp });
  await dialog.destroy();
  await run.done;
});

test('responses go to the port that the request came from, with rport and received filled in', async () => {
  const app = await start();
  const [host = '', port = ''] = app.sip.split(':');
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.send(options(host, 'UDP', 'rport'), Number(port), host);
  const [bytes] = (await once(socket, 'message')) as [Buffer];
  assert.match(bytes.toString(), new RegExp(`Via: .*;rport=${socket.address().port}.*;received=127\\.0\\.0\\.1`));
  socket.close();
});

describe('WebSocket', () => {
  async function serve(app: AppUnderTest): Promise<{ url: string; close: () => void }> {
    const http = createServer();
    http.on('upgrade', (request, socket, head) => app.server?.handleUpgrade(request, socket, head));
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const address = http.address();
    return { url: `ws://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/sip`, close: () => http.close() };
  }
  const register =
    'REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKreg\r\nMax-Forwards: 70\r\n' +
    'From: <sip:js@example.org>;tag=reg\r\nTo: <sip:js@example.org>\r\nCall-ID: ws-reg\r\nCSeq: 1 REGISTER\r\nAuthorization: x y="z"\r\n' +
    'Contact: <sip:js@df7jal23ls0d.invalid;transport=ws>;expires=60\r\nContent-Length: 0\r\n\r\n';

  /** Takes every call. @returns the methods that come */
  function answering(phone: WebSocket): readonly string[] {
    const messages: string[] = [];
    phone.on('message', (data: Buffer) => {
      const text = data.toString();
      messages.push(text.split(' ')[0] ?? '');
      if (text.startsWith('ACK')) return;
      const copied = ['Via', 'From', 'Call-ID', 'CSeq'].map((name) =>
        new RegExp(`^${name}: .*$`, 'm').exec(text)?.[0].trim(),
      );
      const to = /^To: .*$/m.exec(text)?.[0].trim() ?? '';
      const isInvite = text.startsWith('INVITE');
      const lines = ['SIP/2.0 200 OK', ...copied, to.includes('tag=') ? to : `${to};tag=js`];
      if (isInvite) lines.push('Contact: <sip:js@df7jal23ls0d.invalid;transport=ws>', 'Content-Type: application/sdp');
      phone.send([...lines, `Content-Length: ${isInvite ? sdp.length : 0}`, '', isInvite ? sdp : ''].join('\r\n'));
    });
    return messages;
  }

  /** The same phone each time, and the same Contact. */
  async function registering(url: string): Promise<WebSocket> {
    const phone = new WebSocket(url, 'sip');
    await once(phone, 'open');
    phone.send(register.replace(/z9hG4bKreg|ws-reg/g, `$&${Math.random()}`));
    const [registered] = (await once(phone, 'message')) as [Buffer];
    assert.match(registered.toString(), /^SIP\/2\.0 200/);
    return phone;
  }

  test('a phone in a browser registers, and is called back over its WebSocket', async () => {
    const app = await start();
    const http = await serve(app);
    const phone = new WebSocket(http.url, 'sip');
    await once(phone, 'open');
    assert.equal(phone.protocol, 'sip');
    phone.send('\r\n\r\n');
    const [pong] = (await once(phone, 'message')) as [Buffer];
    assert.equal(pong.toString(), '\r\n');
    phone.send(register);
    const [registered] = (await once(phone, 'message')) as [Buffer];
    assert.match(registered.toString(), /^SIP\/2\.0 200/);

    const messages = answering(phone);
    const dialog = await app.srf.createUAC('sip:js@df7jal23ls0d.invalid;transport=ws', { localSdp: sdp });
    await dialog.destroy();
    assert.deepEqual(messages, ['INVITE', 'ACK', 'BYE']);
    phone.close();
    http.close();
  });

  test('a phone whose WebSocket breaks in a call is hung up over the one that it registered on since', async () => {
    const app = await start();
    const http = await serve(app);
    const first = await registering(http.url);
    answering(first);
    const dialog = await app.srf.createUAC('sip:js@df7jal23ls0d.invalid;transport=ws', { localSdp: sdp });
    first.close();
    await once(first, 'close');
    const second = await registering(http.url);
    const messages = answering(second);
    await dialog.destroy();
    assert.deepEqual(messages, ['BYE']);
    second.close();
    http.close();
  });

  test('without the sub-protocol "sip" there is no WebSocket', async () => {
    const app = await start();
    const http = await serve(app);
    const phone = new WebSocket(http.url, 'chat');
    const [error] = (await once(phone, 'error')) as [Error];
    assert.match(error.message, /400/);
    http.close();
  });
});
