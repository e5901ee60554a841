// Owns: the ways on which SIPp reaches a whole gateway and is reached by it: every transport, IPv4 and IPv6.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import type { Room } from '#core/room.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { freePort, whenListening, whenReceiving } from './ports.ts';
import { type SippOptions, type SippRun, startSipp } from './sipp.ts';
import { realDrachtio } from './sipp-app.ts';
import { bridgeFromTls, bridgeToTls } from './tls-bridge.ts';
import { bridgeToWebSocket } from './ws-bridge.ts';

export const wayNames = ['udp', 'tcp', 'tls', 'ws', 'udp over IPv6', 'tcp over IPv6'] as const;
export type WayName = (typeof wayNames)[number];
/** A phone behind a WebSocket can only be called when it has registered. */
export const wayNamesOut = wayNames.filter((name) => name !== 'ws');

type Scenario = Pick<SippOptions, 'scenario' | 'service' | 'timeoutSec' | 'args' | 'calls' | 'rate'>;

export class SipWays {
  readonly gateway: TestGateway;
  readonly #certificate: { readonly cert: string; readonly key: string };
  readonly #folder: string;
  readonly #open: { close(): void }[] = [];

  private constructor(gateway: TestGateway, certificate: { cert: string; key: string }, folder: string) {
    this.gateway = gateway;
    this.#certificate = certificate;
    this.#folder = folder;
  }

  /** A gateway that listens on all of them; on a drachtio-server of the environment's, for UDP and TCP over IPv4 alone. */
  static async start(
    kind: 'embedded' | 'drachtio',
    overrides: Parameters<typeof startGateway>[0] = {},
  ): Promise<SipWays> {
    const folder = await mkdtemp(join(tmpdir(), 'sip-ways-'));
    const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
      keySize: 2048,
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
    });
    const [certificateFile, privateKeyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    await Promise.all([writeFile(certificateFile, cert), writeFile(privateKeyFile, key)]);
    const gateway = await startGateway({
      ...overrides,
      sip: {
        isEnabled: true,
        access: 'open',
        hosts: ['127.0.0.1', '::1'],
        hasTls: true,
        tlsPort: 0,
        tls: { certificateFile, privateKeyFile, verifiesServers: false },
        ...(kind === 'drachtio' && { drachtio: realDrachtio }),
        ...overrides.sip,
      },
    });
    return new SipWays(gateway, { cert, key }, folder);
  }

  /**
   * Waits for the media worker, which a busy machine does not start at once: no call of the test shall wait for it. The
   * room says nothing to its phones, so that all they hear is each other.
   */
  async warmUp(): Promise<Room> {
    await this.gateway.api('PATCH', '/api/rooms/demo', { sip: { hasPrompts: false } });
    const room = await this.gateway.app.rooms.open('demo');
    for (let tries = 1; ; tries++) {
      try {
        await this.gateway.app.phones.mixOf(room);
        return room;
      } catch (error) {
        if (tries === 10) throw error;
        await new Promise((resolve) => setTimeout(resolve, 2_000));
      }
    }
  }

  /** SIPp calls the gateway. */
  async callIn(way: WayName, scenario: Scenario): Promise<SippRun> {
    return startSipp({ ...scenario, ...(await this.#towards(way)) });
  }

  /** SIPp waits to be called; `to` is for POST sipcalls. */
  async waitForCall(way: WayName, scenario: Scenario): Promise<{ run: SippRun; to: string }> {
    const localPort = await freePort();
    const transport = way.startsWith('udp') ? 'udp' : 'tcp';
    const localAddress = way.endsWith('IPv6') ? '::1' : '127.0.0.1';
    const run = startSipp({ ...scenario, localPort, transport, localAddress });
    await (transport === 'udp' ? whenReceiving(localPort) : whenListening(localPort));
    const host = localAddress === '::1' ? '[::1]' : localAddress;
    if (way !== 'tls') return { run, to: `sip:alice@${host}:${localPort};transport=${transport}` };
    const bridge = await bridgeFromTls(this.#certificate, localPort);
    this.#open.push(bridge);
    return { run, to: `sip:alice@127.0.0.1:${bridge.port};transport=tls` };
  }

  async #towards(way: WayName): Promise<Pick<SippOptions, 'target' | 'transport' | 'localAddress'>> {
    const points = this.gateway.app.sip.listenPoints;
    const isV6 = way.endsWith('IPv6');
    const port = (protocol: string): number =>
      points.find((point) => point.protocol === protocol && point.host.includes(':') === isV6)?.port ?? 0;
    if (way === 'tls' || way === 'ws') {
      const bridge = await (way === 'tls'
        ? bridgeToTls(port('tls'))
        : bridgeToWebSocket(`${this.gateway.url.replace(/^http/, 'ws')}/sip`));
      this.#open.push(bridge);
      return { target: `127.0.0.1:${bridge.port}`, transport: 'tcp', localAddress: '127.0.0.1' };
    }
    const transport = way.startsWith('udp') ? 'udp' : 'tcp';
    if (isV6) return { target: `[::1]:${port(transport)}`, transport, localAddress: '::1' };
    const there = this.gateway.app.sip.hostPorts;
    const target = new RegExp(`${transport}/([^,]+)`).exec(there)?.[1] ?? '';
    return { target, transport, localAddress: '127.0.0.1' };
  }

  async close(): Promise<void> {
    for (const one of this.#open) one.close();
    await this.gateway.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
