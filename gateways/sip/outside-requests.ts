// Owns: what comes outside of any call: OPTIONS, MESSAGE, REGISTER.
import { dialledOf } from '#core/dispatch.ts';
import { GatewayError, toGatewayError } from '#core/errors.ts';
import type { SipCall } from './call.ts';
import type { CallTable } from './call-table.ts';
import { partyOf } from './call-texts.ts';
import { callerOf } from './caller.ts';
import type { Defence } from './defence.ts';
import type { InboundRequest } from './inbound-call.ts';
import type { Registrar } from './registrar/registrar.ts';
import { allow, refuse, supported } from './status.ts';

export interface OutsideRequestsOptions {
  readonly calls: CallTable;
  readonly defence: Defence;
  readonly registrar: Registrar;
}

export class OutsideRequests {
  readonly #options: OutsideRequestsOptions;

  constructor(options: OutsideRequestsOptions) {
    this.#options = options;
  }

  take(request: InboundRequest): void {
    const { defence, registrar } = this.#options;
    if (request.method === 'MESSAGE') this.#said(request);
    else if (defence.isScanner(request)) request.respond(403);
    else if (request.method === 'REGISTER') registrar.take(request);
    else if (request.method === 'OPTIONS') this.#asked(request);
    else request.respond(405, { headers: { allow } });
  }

  #asked(request: InboundRequest): void {
    try {
      this.#options.calls.assertRoomForCalls();
      request.respond(200, { headers: { allow, supported, accept: 'application/sdp, text/plain' } });
    } catch (error) {
      refuse(request, toGatewayError(error));
    }
  }

  /** Outside of any dialog: taken from a phone that is in the room, by the address and the place that it called from. */
  #said(request: InboundRequest): void {
    try {
      const { uri: from } = callerOf((name) => request.header(name));
      const dialled = dialledOf(request.uri).toLowerCase();
      const calls = [...this.#options.calls.live].filter((call) => isFrom(call, from, request.source.address));
      const call = calls.find(({ info: { roomName = '', to } }) =>
        [roomName, dialledOf(to)].some((name) => name.toLowerCase() === dialled),
      );
      if (!call)
        throw new GatewayError('forbidden', 'Only a phone that is in the room may write to it; call it first.');
      call.hear(request);
      request.respond(200);
    } catch (error) {
      refuse(request, toGatewayError(error));
    }
  }
}

/** Whether a request outside of its dialog can be taken for this phone's. */
function isFrom(call: SipCall, uri: string, address: string): boolean {
  // First, since it costs next to nothing: strangers may write as often as they like, and there may be thousands of calls.
  if (call.sourceAddress !== address) return false;
  const { from, direction, state } = call.info;
  const isSame = partyOf(from) !== '' && partyOf(from) === partyOf(uri);
  return direction === 'inbound' && state === 'connected' && isSame;
}
