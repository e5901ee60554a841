// Owns: what `switchyard doctor` looks at where the gateway runs already: whether it listens and is ready. May import:
// config, ./doctor-finding.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Config } from '#config/schema.ts';
import { type Finding, failure, ok } from './doctor-finding.ts';

const timeoutMs = 3_000;

/** Address by which this machine reaches what listens on `host`. */
const reachable = (host: string) => (host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host);

/** @returns undefined where no gateway answers at `http.port` */
export async function checkRunning(config: Config): Promise<readonly Finding[] | undefined> {
  const { http } = config;
  if (!http.isEnabled || http.port === 0) return undefined;
  const host = reachable(http.host);
  const base = `http://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
  const health = await askJson<{ status?: string; uptimeMs?: number }>(`${base}/health`);
  if (health?.status !== 'ok' || typeof health.uptimeMs !== 'number') return undefined;
  const minutes = Math.floor(health.uptimeMs / 60_000);
  const running = ok('gateway', `runs at ${base} for ${minutes} min; its ports are its own`);
  const ready = await askJson<{ problems?: { part: string; message: string }[] }>(`${base}/ready`);
  const problems = ready?.problems ?? [{ part: 'ready', message: 'does not answer' }];
  const unready = problems.map(({ part, message }) =>
    failure('gateway', `${part}: ${message}`, 'It runs and takes no work until that is mended; its log has more.'),
  );
  return [running, ...unready, ...(await checkListeners(config))];
}

async function askJson<T>(url: string): Promise<T | undefined> {
  try {
    return (await (await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })).json()) as T;
  } catch {
    return undefined;
  }
}

async function checkListeners({ https, http, metrics, rtmp, rtsp, sip }: Config): Promise<readonly Finding[]> {
  const [sipHost = '0.0.0.0'] = sip.hosts;
  const isOurs = sip.isEnabled && !sip.drachtio;
  const tcp: readonly [setting: string, isOn: boolean, host: string, port: number][] = [
    ['https.port', https.isEnabled, http.host, https.port],
    ['metrics.port', metrics.isEnabled, metrics.host, metrics.port],
    ['rtmp.port', rtmp.isEnabled, rtmp.host, rtmp.port],
    ['rtmp.tlsPort', rtmp.isEnabled && rtmp.tlsIsEnabled, rtmp.host, rtmp.tlsPort],
    ['rtsp.port', rtsp.isEnabled, rtsp.host, rtsp.port],
    ['rtsp.tlsPort', rtsp.isEnabled && rtsp.tlsIsEnabled, rtsp.host, rtsp.tlsPort],
    ['sip.port', isOurs && sip.hasTcp, sipHost, sip.port],
    ['sip.tlsPort', isOurs && sip.hasTls, sipHost, sip.tlsPort],
  ];
  const asked = tcp.filter(([, isOn, , port]) => isOn && port !== 0);
  const found = await Promise.all(
    asked.map(async ([setting, , host, port]) => {
      if (await takesTcp(reachable(host), port)) return ok('listening', `tcp ${port} (${setting})`);
      return notListening(`tcp ${port} (${setting})`);
    }),
  );
  const isUdpAsked = isOurs && sip.hasUdp && sip.port !== 0;
  return isUdpAsked ? [...found, await checkSipUdp(reachable(sipHost), sip.port)] : found;
}

function notListening(what: string): Finding {
  const advice =
    'The gateway runs and does not listen there: another configuration than this one, or a firewall of this machine.';
  return failure('listening', `${what} does not answer`, advice);
}

function takesTcp(host: string, port: number): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const end = (isTaken: boolean) => {
      socket.destroy();
      settle(isTaken);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}

/** Any answer to OPTIONS will do: 503 of one that drains says that it is there. */
async function checkSipUdp(host: string, port: number): Promise<Finding> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    await once(socket.bind(0, host), 'listening');
    const { port: own } = socket.address();
    const at = host.includes(':') ? `[${host}]` : host;
    const lines = [
      `OPTIONS sip:${at}:${port} SIP/2.0`,
      `Via: SIP/2.0/UDP ${at}:${own};branch=z9hG4bKdoctor${own};rport`,
      `From: <sip:doctor@${at}>;tag=${own}`,
      `To: <sip:${at}:${port}>`,
      `Call-ID: doctor-${own}@${at}`,
      ...['CSeq: 1 OPTIONS', 'Max-Forwards: 70', 'Content-Length: 0', '', ''],
    ];
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(timeoutMs) });
    socket.send(lines.join('\r\n'), port, host);
    const [answer] = (await answered) as [Buffer];
    return ok('listening', `udp ${port} (sip.port), OPTIONS: ${String(answer).split('\r\n', 1)[0]}`);
  } catch {
    return notListening(`udp ${port} (sip.port)`);
  } finally {
    socket.close();
  }
}
