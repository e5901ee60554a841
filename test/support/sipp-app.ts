// Owns: the small drachtio-srf application that SIPp calls in tests, and the SIP server under it: ours, or a real
// drachtio-server where DRACHTIO_HOST, DRACHTIO_PORT and DRACHTIO_SECRET name one.
import { EventEmitter, once } from 'node:events';
import { createRequire } from 'node:module';
import { SipServer, type SipServerOptions } from '#gateways/sip/server/index.ts';

// biome-ignore lint/suspicious/noExplicitAny: drachtio-srf's types leave out half of what it takes; tests use it bare
type Any = any;
const Srf = createRequire(import.meta.url)('drachtio-srf') as Any;

export const sdp = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 4000 RTP/AVP 0',
  'a=sendrecv',
  '',
].join('\r\n');

export const realDrachtio = process.env.DRACHTIO_HOST
  ? {
      host: process.env.DRACHTIO_HOST,
      port: Number(process.env.DRACHTIO_PORT ?? 9022),
      secret: process.env.DRACHTIO_SECRET ?? 'cymru',
    }
  : undefined;

export const serverKinds = realDrachtio ? (['embedded', 'drachtio'] as const) : (['embedded'] as const);
if (!realDrachtio) {
  console.info(
    'SIP: tests on a real drachtio-server are left out; set DRACHTIO_HOST, DRACHTIO_PORT and DRACHTIO_SECRET for them.',
  );
}

export interface AppUnderTest {
  readonly srf: Any;
  /** The embedded server; undefined when a real one is used. */
  readonly server: SipServer | undefined;
  /** `127.0.0.1:port` for UDP and TCP. */
  readonly sip: string;
  readonly tlsPort: number;
  readonly control: { readonly host: string; readonly port: number; readonly secret: string };
  /** Everything that happened in the application, in order: `uas destroy`, `invite cancel`. */
  readonly seen: string[];
  readonly events: EventEmitter;
  /** Waits until something of that name has happened, or returns at once if it has. */
  saw(what: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts a server and an application on it that does nothing yet. */
export async function startApp(
  kind: 'embedded' | 'drachtio' = 'embedded',
  options: Partial<SipServerOptions> = {},
): Promise<AppUnderTest> {
  const server =
    kind === 'embedded' ? await SipServer.create({ hosts: ['127.0.0.1'], port: 0, tlsPort: 0, ...options }) : undefined;
  const control = server?.control ?? realDrachtio;
  if (!control) throw new Error('No SIP server to test.');
  const srf = new Srf();
  const seen: string[] = [];
  const events = new EventEmitter();
  events.on('seen', (what: string) => seen.push(what));
  srf.on('error', () => undefined);
  srf.connect({ ...control });
  const [error, hostPorts] = (await once(srf, 'connect')) as [Error | null, string];
  if (error) throw error;
  const sip = /udp\/([^,]+)/.exec(hostPorts)?.[1] ?? '';
  const tlsPort = Number(/tls\/[^,]*:(\d+)/.exec(hostPorts)?.[1] ?? 0);
  return {
    srf,
    server,
    sip,
    tlsPort,
    control,
    seen,
    events,
    async saw(what) {
      const signal = AbortSignal.timeout(8000);
      while (!seen.includes(what)) {
        await once(events, 'seen', { signal }).catch(() => {
          throw new Error(`"${what}" did not happen, only: ${seen.join(', ')}`);
        });
      }
    },
    async close() {
      try {
        srf.disconnect();
      } catch {
        // A test has done so itself; drachtio-srf asserts that there is a connection.
      }
      await server?.close();
    },
  };
}

/** Behaviours by user part of the Request-URI. */
export function installBehaviours({ srf, events }: AppUnderTest, peerUri: () => string): void {
  const note = (what: string): void => void events.emit('seen', what);
  const watch = (name: string, dialog: Any): Any => {
    dialog.on('destroy', (_req: Any, reason?: string) =>
      note(`${name} destroy${reason && reason !== 'normal release' ? ` ${reason}` : ''}`),
    );
    dialog.on('ack', (req: Any) => note(`${name} ack${req.body ? ' sdp' : ''}`));
    dialog.on('info', (req: Any, res: Any) => {
      note(`${name} info ${req.body.trim()}`);
      res.send(200);
    });
    dialog.on('message', (req: Any, res: Any) => {
      note(`${name} message ${req.body.trim()}`);
      res.send(200);
    });
    dialog.on('update', (_req: Any, res: Any) => {
      note(`${name} update`);
      res.send(200, { body: sdp });
    });
    dialog.on('refer', (req: Any, res: Any) => {
      note(`${name} refer ${req.get('refer-to')}`);
      res.send(202);
    });
    return dialog;
  };
  const answer = (req: Any, res: Any, opts: Any = {}, then?: (dialog: Any) => void): void => {
    srf.createUAS(req, res, { localSdp: sdp, ...opts }, (error: Any, dialog: Any) => {
      if (error) {
        note(`uas failed ${error.status ?? error.message ?? error}`);
        return;
      }
      note('uas');
      watch('uas', dialog);
      then?.(dialog);
    });
  };
  const user = (req: Any): string => /sips?:([^@;]+)@/.exec(req.uri)?.[1] ?? '';
  srf.invite((req: Any, res: Any) => {
    req.on('cancel', () => note('invite cancel'));
    switch (user(req)) {
      case 'answer':
        answer(req, res);
        return;
      case 'modify':
        answer(req, res, {}, (dialog) => {
          dialog.on('modify', (again: Any, reply: Any) => {
            note(`uas modify ${/a=(\w+)/.exec(again.body.split('rtpmap:0 PCMU/8000')[1] ?? '')?.[1]}`);
            reply.send(200, { body: sdp.replace('sendrecv', 'recvonly') });
          });
        });
        return;
      case 'busy':
        res.send(486, { headers: { 'X-Why': 'in another call' } });
        return;
      case 'ring':
        res.send(180);
        note('ringing');
        return;
      case 'silent':
        note('silent');
        return;
      case 'rering':
        answer(req, res, {}, (dialog) => {
          dialog.once('ack', () => {
            void dialog.modify(sdp.replace('m=audio 4000', 'm=audio 4002')).then(() => {
              note('modified');
              return dialog.destroy();
            });
          });
        });
        return;
      case 'hangup':
        answer(req, res, {}, (dialog) => {
          void dialog.destroy({ headers: { Reason: 'Q.850;cause=16' } }).then(() => note('hung up'));
        });
        return;
      case 'early':
        res.send(183, { body: sdp });
        setTimeout(() => answer(req, res), 100);
        return;
      case 'prack':
        res.send(183, { body: sdp, headers: { Require: '100rel' } }, undefined, () => {
          note('prack');
          answer(req, res);
        });
        return;
      case 'session':
        answer(req, res, { headers: { 'Session-Expires': '90;refresher=uas', Require: 'timer' } });
        return;
      case 'b2b':
        srf
          .createB2BUA(req, res, peerUri(), { localSdpA: sdp, localSdpB: sdp, proxyResponseHeaders: ['x-from-b'] })
          .then(({ uas, uac }: Any) => {
            note('b2b');
            watch('a', uas).on('destroy', () => void uac.destroy());
            watch('b', uac).on('destroy', () => void uas.destroy());
          })
          .catch((error: Any) => note(`b2b failed ${error.status ?? error.message}`));
        return;
      case 'proxy':
        srf
          .proxyRequest(req, [peerUri()], { remainInDialog: true })
          .then((result: Any) => note(`proxied ${result.finalStatus}`))
          .catch((error: Any) => note(`proxy failed ${error}`));
        return;
      default:
        res.send(404);
    }
  });
  srf.options((_req: Any, res: Any) => res.send(200, { headers: { Accept: 'application/sdp' } }));
  srf.message((req: Any, res: Any) => {
    note(`message ${req.body.trim()}`);
    res.send(202);
  });
  srf.register((req: Any, res: Any) => {
    if (!req.has('Authorization')) {
      res.send(401, {
        headers: { 'WWW-Authenticate': 'Digest realm="test", nonce="abcdef", algorithm=MD5, qop="auth"' },
      });
      return;
    }
    note('registered');
    res.send(200, { headers: { Contact: `${req.get('Contact')};expires=60`, Expires: '60' } });
  });
}
