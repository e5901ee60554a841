// Owns: opening the TCP or TLS connection to a server that a URL names. May import: core.
import { lookup } from 'node:dns/promises';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { GatewayError } from '#core/errors.ts';
import type { LookupAll, NetPolicy, NetTarget } from '#core/net-policy.ts';

export interface DialOptions {
  readonly policy: NetPolicy;
  /** Ends the attempt at once; it says nothing of the connection once made. */
  readonly signal: AbortSignal;
  readonly lookup?: LookupAll | undefined;
  /** PEM of authorities to trust besides the system's. */
  readonly authorities?: string | undefined;
  /** Cameras have certificates that nobody signed: false takes any, and then protects against listening only. */
  readonly checksCertificate?: boolean | undefined;
}

const systemLookup: LookupAll = async (host) => (await lookup(host, { all: true })).map((found) => found.address);

/**
 * @param isEncrypted whether to speak TLS, checking the certificate against the name
 * @throws GatewayError `forbidden` by policy, `upstream_failed` when nobody answers, `upstream_refused` for a wrong
 *   certificate, `closed` when the signal fires
 */
export async function dial(target: NetTarget, isEncrypted: boolean, options: DialOptions): Promise<Socket> {
  const { policy, signal } = options;
  const address = await policy.resolve(target, options.lookup ?? systemLookup);
  if (signal.aborted) throw new GatewayError('closed', 'The connection is not wanted any more.');
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const { host, port } = target;
  const isName = !/^[\d.]+$|:/.test(host);
  const socket = isEncrypted
    ? connectTls({
        host: address,
        port,
        ca: options.authorities,
        servername: isName ? host : '',
        rejectUnauthorized: options.checksCertificate ?? true,
      })
    : connectTcp({ host: address, port });
  const onAbort = () => reject(new GatewayError('closed', 'The connection is not wanted any more.'));
  signal.addEventListener('abort', onAbort, { once: true });
  socket.once(isEncrypted ? 'secureConnect' : 'connect', () => resolve(socket));
  socket.once('error', (error: NodeJS.ErrnoException) => reject(dialError(target, error)));
  socket.once('close', () => reject(new GatewayError('upstream_failed', `${host} hung up.`)));
  try {
    return (await promise).setNoDelay(true);
  } catch (error) {
    socket.on('error', () => undefined); // of a socket that nobody has any more
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** To the server of a URL of HTTP or HTTPS. @throws GatewayError as `dial()` */
export function dialHttp({ protocol, hostname, port }: URL, options: DialOptions): Promise<Socket> {
  const isEncrypted = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const target = { scheme: protocol.slice(0, -1), host, port: Number(port || (isEncrypted ? 443 : 80)) };
  return dial(target, isEncrypted, options);
}

function dialError({ host, port }: NetTarget, cause: NodeJS.ErrnoException): GatewayError {
  const code = cause.code ?? '';
  if (code.includes('CERT') || code.includes('SIGN') || code.includes('TLS')) {
    return new GatewayError('upstream_refused', `The TLS certificate of ${host} is not trusted (${code}).`, { cause });
  }
  if (code.includes('SSL') || code === 'EPROTO') {
    const what = 'does not agree with us on TLS; is it the port for encrypted connections?';
    return new GatewayError('upstream_refused', `${host}:${port} ${what} (${code})`, { cause });
  }
  return new GatewayError('upstream_failed', `${host}:${port} could not be reached (${code || cause.message}).`, {
    cause,
  });
}
