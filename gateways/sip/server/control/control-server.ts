import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { type AppEnd, type ChannelUser, type ControlChannel, InProcessEnd, socketChannel } from './channel.ts';
import { type AppCommand, type ControlHandler, ControlSession, type ProxyCommand } from './control-session.ts';
import type { AppMessageFrame, MessageFrame } from './message-frame.ts';

export interface ControlOptions {
  /** Loopback unless somebody has reasons. */
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

export interface ControlUser {
  onCommand(session: ControlSession, command: AppCommand): void;
  onProxy(session: ControlSession, command: ProxyCommand): void;
  onSessionClosed(session: ControlSession): void;
  /** `udp/192.0.2.1:5060,tcp/192.0.2.1:5060` */
  hostPorts(): string;
}

/** What drachtio-srf is told; it pings servers from v0.8.2 on. */
const version = 'v0.9.10-switchyard';
const maxSessions = 16;

/** Where drachtio-srf connects to. Nothing but `authenticate` is understood before it succeeded. */
export class ControlServer extends Owned implements ControlHandler {
  readonly #user: ControlUser;
  readonly #secret: Buffer;
  readonly #server: Server;
  readonly #sessions = new Set<ControlSession>();
  #turn = 0;

  private constructor(options: ControlOptions, user: ControlUser) {
    super();
    this.#user = user;
    this.#secret = digest(options.secret);
    this.#server = createServer((socket) => {
      if (this.#mayOpen) this.#open((session) => socketChannel(socket, session));
      else {
        socket.on('error', () => undefined);
        socket.destroy();
      }
    });
    this.#server.on('error', () => undefined);
  }

  static async create(options: ControlOptions, user: ControlUser): Promise<ControlServer> {
    const server = new ControlServer(options, user);
    server.#server.listen(options.port, options.host);
    await once(server.#server, 'listening');
    return server;
  }

  /** A way for an application in this process; it has to authenticate like any other. @throws GatewayError `closed` */
  openInProcess(): AppEnd {
    if (!this.#mayOpen) throw new GatewayError('closed', 'The SIP server takes no more applications.');
    const [theirs, ours] = InProcessEnd.pair<string | AppMessageFrame, string | MessageFrame>();
    this.#open((session) => {
      ours.attach(session);
      return ours;
    });
    return theirs;
  }

  get #mayOpen(): boolean {
    return this.#sessions.size < maxSessions && !this.isClosed;
  }

  #open(channel: (user: ChannelUser) => ControlChannel): void {
    const session = this.own(new ControlSession(channel, this));
    this.#sessions.add(session);
    void session.done.then(() => {
      this.#sessions.delete(session);
      this.#user.onSessionClosed(session);
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  get hasApp(): boolean {
    for (const session of this.#sessions) if (session.isAuthenticated) return true;
    return false;
  }

  /** In turn, one of those who asked for that method or event. */
  pick(route: string): ControlSession | undefined {
    let candidate: ControlSession | undefined;
    let count = 0;
    for (const session of this.#sessions) {
      if (!session.routes.has(route)) continue;
      count++;
      candidate ??= session;
    }
    if (count <= 1) return candidate;
    const wanted = this.#turn++ % count;
    let index = 0;
    for (const session of this.#sessions) if (session.routes.has(route) && index++ === wanted) return session;
    return candidate;
  }

  /** Every method that an application asked for. */
  routedMethods(): string[] {
    const methods = new Set<string>();
    for (const { routes } of this.#sessions)
      for (const route of routes) if (!route.startsWith('cdr:')) methods.add(route);
    return [...methods];
  }

  greeting(): string {
    const hostPorts = this.#user.hostPorts();
    return `${hostPorts}|${version}|${hostPorts}`;
  }

  isSecret(candidate: string): boolean {
    return timingSafeEqual(digest(candidate), this.#secret);
  }

  onCommand(session: ControlSession, command: AppCommand): void {
    this.#user.onCommand(session, command);
  }

  onProxy(session: ControlSession, command: ProxyCommand): void {
    this.#user.onProxy(session, command);
  }

  protected override onClose(_reason: CloseReason): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
