import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SipConfig } from '#config/schema.ts';
import type { CallsPort, DialOptions } from '#core/call.ts';
import { dialledOf, dispatch } from '#core/dispatch.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { RoomId } from '#core/ids.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { PhoneBridgePort } from '#core/phone-bridge.ts';
import type { Gateway, Logger, PhonePort } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { Rooms } from '#core/rooms.ts';
import { SipCall, type SipCallOptions } from './call.ts';
import { callerOf } from './caller.ts';
import { assertDialable, inviteHeaders } from './dial-request.ts';
import type { InboundCall, InboundRequest } from './inbound-call.ts';
import type { CallOutcome, SipLink } from './link.ts';
import type { Certificate } from './server/index.ts';
import { SipSignalling } from './signalling.ts';
import { allow, refuse, refusedBy, supported } from './status.ts';

export interface SipGatewayPorts {
  readonly rooms: Rooms;
  readonly phones: PhonePort;
  readonly bridges: PhoneBridgePort;
  readonly config: SipConfig;
  readonly log: Logger;
}

const maxPastCalls = 500;

/** Calls that come in become participants of rooms; the API makes others that go out. */
export class SipGateway extends Owned implements Gateway, CallsPort {
  readonly name = 'sip';
  readonly #ports: SipGatewayPorts;
  readonly #log: Logger;
  readonly #live = new Set<SipCall>();
  readonly #past: SipCall[] = [];
  #signalling: SipSignalling | undefined;
  #isDraining = false;

  constructor(ports: SipGatewayPorts) {
    super();
    this.#ports = ports;
    this.#log = ports.log.child({ gateway: 'sip' });
  }

  /** Takes calls from now on. @throws GatewayError `conflict` (port taken), `invalid_request`, `unauthorized`, `timeout` */
  async listen(certificate: Certificate | undefined): Promise<void> {
    const { config } = this.#ports;
    const signalling = this.own(await SipSignalling.create({ config, certificate, log: this.#log }));
    this.#signalling = signalling;
    signalling.link.onCall((call) => void this.#take(call));
    signalling.link.onRequest((request) => this.#asked(request));
    this.#log.info({ at: signalling.link.hostPorts }, 'SIP listens');
  }

  get listenPoints(): SipSignalling['listenPoints'] {
    return this.#signalling?.listenPoints ?? [];
  }

  /** `udp/192.0.2.1:5060,…` of whichever server it is. */
  get hostPorts(): string {
    return this.#signalling?.link.hostPorts ?? '';
  }

  /** For the path `/sip` of the HTTP servers. */
  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (this.#signalling && this.#ports.config.hasWebSocket) this.#signalling.handleUpgrade(request, socket, head);
    else socket.destroy();
  };

  callsOf(room: RoomId): readonly SipCall[] {
    const known = [...this.#past, ...this.#live].filter(({ info }) => info.roomId === room);
    return known.sort((a, b) => a.info.startedAtMs - b.info.startedAtMs);
  }

  drain(): void {
    this.#isDraining = true;
  }

  /** The call is on its way when this returns. */
  async dial(options: DialOptions): Promise<SipCall> {
    const link = this.#link();
    assertDialable(options.to);
    if (options.proxy !== undefined) assertDialable(options.proxy, 'proxy');
    const room = await this.#ports.rooms.open(options.room);
    const headers = { ...inviteHeaders(options, room.name), allow, supported };
    const number = dialledOf(options.to);
    const shown = number === '' ? options.to : number;
    const call = this.#begin({
      direction: 'outbound',
      room,
      from: options.from ?? room.name,
      to: options.to,
      displayName: shown.slice(0, 128),
      user: number,
    });
    try {
      // Who is reached by WebSocket is a browser, or is to be spoken to like one (RFC 7118 §7).
      const isWebRtc = /;transport=wss?\b/i.test(options.to);
      const speech = await call.prepare(hostAddressOf(options.proxy ?? options.to), { isWebRtc });
      this.#invite(link, call, { ...options, headers }, speech).catch((error: unknown) => {
        call.fail(toGatewayError(error));
      });
    } catch (error) {
      call.fail(toGatewayError(error));
      throw error;
    }
    return call;
  }

  async #invite(
    link: SipLink,
    call: SipCall,
    { to, headers, credentials, proxy, ringTimeoutMs, digits }: DialOptions,
    speech: Awaited<ReturnType<SipCall['prepare']>>,
  ): Promise<void> {
    let isAnswered = false;
    const hear = (sdp: string) => {
      if (sdp === '') return;
      call.speak(speech.accept(sdp));
      isAnswered = true;
    };
    const guarded = (act: () => void) => {
      try {
        act();
      } catch (error) {
        call.fail(toGatewayError(error));
      }
    };
    const outbound = link.call(to, {
      sdp: speech.offer(),
      ...(headers && { headers }),
      ...(credentials && { credentials }),
      ...(proxy !== undefined && { proxy }),
      onProgress: ({ status, body }) => {
        if (status > 100) call.ringing();
        guarded(() => hear(body));
      },
      // RFC 3311 §5.2: two offers at once are none.
      onUpdate: (question) => (isAnswered ? void call.offered(question) : question.respond(491)),
      onDialog: (dialog) => {
        call.attach(dialog);
        guarded(() => hear(dialog.remoteSdp));
      },
    });
    const limitMs = ringTimeoutMs ?? this.#ports.config.ringTimeoutMs;
    const timer = setTimeout(() => {
      call.fail(new GatewayError('timeout', `Nobody answered within ${Math.round(limitMs / 1_000)} s.`));
    }, limitMs).unref();
    const cancel = () => outbound.cancel();
    call.signal.addEventListener('abort', cancel, { once: true });
    try {
      this.#concluded(call, await outbound.outcome);
      if (digits !== undefined && !call.isClosed) await call.sendDtmf(digits);
    } catch (error) {
      if (call.info.state === 'connected') this.#log.warn({ err: error, call: call.id }, 'digits not sent');
      else call.fail(toGatewayError(error));
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener('abort', cancel);
    }
  }

  #concluded(call: SipCall, outcome: CallOutcome): void {
    if (outcome.kind === 'answered') return;
    const { status } = outcome.answer;
    const error = refusedBy(outcome.answer);
    call.finish({ by: 'peer', reason: 'refused', message: error.message, code: error.code, sipStatus: status });
  }

  /** An INVITE: who is it for, is there room for it, what can it hear; then 200. */
  async #take(inbound: InboundCall): Promise<void> {
    const caller = callerOf((name) => inbound.header(name));
    const { source, uri, callId } = inbound;
    let call: SipCall | undefined;
    try {
      const room = await this.#roomFor(uri);
      const { displayName, user } = caller;
      call = this.#begin({
        direction: 'inbound',
        room,
        from: caller.uri,
        to: uri,
        displayName,
        user,
        sipCallId: callId,
      });
      await this.#answer(call, inbound);
    } catch (thrown) {
      const error = toGatewayError(thrown);
      const fields = { from: caller.uri, to: uri, source: source.address, sipCallId: callId, code: error.code };
      const level = error.code === 'internal' ? 'error' : 'warn';
      this.#log[level]({ ...fields, reason: error.message, ...(level === 'error' && { err: error }) }, 'call refused');
      refuse(inbound, error);
      call?.fail(error, error.spec.sip);
    }
  }

  async #roomFor(uri: string): Promise<Room> {
    this.#assertRoomForCalls();
    const { config, rooms } = this.#ports;
    const decision = dispatch(dialledOf(uri), config.rules);
    if (decision.kind === 'reject') throw new GatewayError('not_found', decision.reason);
    return rooms.open(decision.room);
  }

  async #answer(call: SipCall, inbound: InboundCall): Promise<void> {
    const cancelled = { by: 'peer', reason: 'cancelled', message: 'The caller gave up.' } as const;
    inbound.events.on('cancelled', () => call.finish(cancelled));
    // CANCEL may have been faster than we could listen.
    if (inbound.isCancelled) call.finish(cancelled);
    inbound.respond(180);
    const speech = await call.prepare(inbound.source.address, { offer: inbound.body });
    const answered = inbound.body === '' ? undefined : speech.answer(inbound.body);
    call.join();
    await inbound.answer(
      answered?.sdp ?? speech.offer(),
      (dialog) => {
        call.attach(dialog, { isOfferOpen: answered === undefined });
        if (answered) call.speak(answered.parameters);
      },
      { allow, supported },
    );
  }

  #begin(options: Omit<SipCallOptions, 'phones' | 'bridges' | 'settings' | 'log'>): SipCall {
    this.#assertRoomForCalls();
    const { phones, bridges, config } = this.#ports;
    const { srtp, codecs, maxDurationMs } = config;
    const call = this.own(
      new SipCall({ ...options, phones, bridges, settings: { srtp, codecs, maxDurationMs }, log: this.#log }),
    );
    this.#live.add(call);
    void call.done.then(() => {
      this.#live.delete(call);
      this.#past.push(call);
      if (this.#past.length > maxPastCalls) this.#past.shift();
    });
    return call;
  }

  #assertRoomForCalls(): void {
    if (this.#isDraining || this.isClosed) {
      throw new GatewayError('draining', 'This gateway takes no new calls.', { retryAfterMs: 5_000 });
    }
    if (this.#live.size >= this.#ports.config.maxCalls) {
      throw new GatewayError('overloaded', `There are ${this.#live.size} calls, the most that sip.maxCalls allows.`);
    }
  }

  #asked(request: InboundRequest): void {
    if (request.method !== 'OPTIONS') {
      request.respond(405, { headers: { allow } });
      return;
    }
    try {
      this.#assertRoomForCalls();
      request.respond(200, { headers: { allow, supported, accept: 'application/sdp, text/plain' } });
    } catch (error) {
      refuse(request, toGatewayError(error));
    }
  }

  #link(): SipLink {
    const { config } = this.#ports;
    if (!config.isEnabled) throw new GatewayError('unprocessable', 'SIP is turned off here (sip.isEnabled).');
    this.#assertRoomForCalls();
    if (!this.#signalling?.link.isUp) {
      throw new GatewayError('signalling_lost', 'There is no link to the SIP server.', { retryAfterMs: 1_000 });
    }
    return this.#signalling.link;
  }

  protected override onClose(_reason: CloseReason): void {
    this.#live.clear();
  }
}

/** Of a URI whose host is an address: our address in the SDP is chosen for it. A name could be anywhere. */
function hostAddressOf(uri: string): string {
  const host = /^sips?:(?:[^@]*@)?(\[[^\]]*\]|[^:;>]+)/i.exec(uri)?.[1]?.replaceAll(/[[\]]/g, '') ?? '';
  return isIP(host) === 0 ? '192.0.2.1' : host;
}
