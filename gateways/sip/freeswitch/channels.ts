// Owns: channels of FreeSWITCH that calls of ours have, by the names that their calls gave them. Runs in the thread.
import { GatewayError } from '#core/errors.ts';
import { SipDialog } from '../dialog.ts';
import type { FsmrfEndpoint, FsmrfServer } from './fsmrf-shapes.ts';
import type { ThreadRequest } from './thread-messages.ts';

interface Channel {
  readonly endpoint: FsmrfEndpoint;
  /** drachtio-fsmrf's own way to change a session hangs for ever once one was refused. */
  readonly dialog: SipDialog;
}

export class Channels {
  readonly #server: Pick<FsmrfServer, 'createEndpoint'>;
  readonly #onEnded: (endpoint: string, reason: string) => void;
  readonly #open = new Map<string, Channel>();
  /** Nobody waits for them any more. */
  readonly #givenUp = new Set<string>();
  readonly #underWay = new Set<string>();

  constructor(server: Pick<FsmrfServer, 'createEndpoint'>, onEnded: (endpoint: string, reason: string) => void) {
    this.#server = server;
    this.#onEnded = onEnded;
  }

  /** @returns FreeSWITCH's SDP, where that is what was asked for. @throws GatewayError */
  async handle(request: ThreadRequest): Promise<string> {
    const { endpoint } = request;
    switch (request.verb) {
      case 'open':
        return this.#create(endpoint, request.offer);
      case 'modify':
        return this.#modify(this.#find(endpoint), request.sdp);
      case 'bridge':
        return this.#bridge(this.#find(endpoint), this.#find(request.other));
      case 'release':
        return this.#release(endpoint);
    }
  }

  async hangUpAll(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ dialog }) => dialog.bye()));
  }

  async #create(name: string, offer: string | undefined): Promise<string> {
    this.#underWay.add(name);
    let endpoint: FsmrfEndpoint;
    try {
      endpoint = await this.#server.createEndpoint({ remoteSdp: offer });
    } catch (thrown) {
      this.#givenUp.delete(name);
      throw refusalOf(thrown);
    } finally {
      this.#underWay.delete(name);
    }
    const dialog = new SipDialog(endpoint.dialog, { localSdp: offer ?? '', wasCaller: true });
    if (this.#givenUp.delete(name) || !endpoint.connected) {
      void dialog.bye();
      throw new GatewayError('closed', 'The channel has ended.');
    }
    this.#open.set(name, { endpoint, dialog });
    const ended = (reason: string) => {
      if (this.#open.delete(name)) this.#onEnded(name, reason);
    };
    dialog.events.on('ended', (by, reason) => by !== 'us' && ended(reason || 'it hung up'));
    endpoint.on('destroy', (event?: { reason?: string }) => ended(event?.reason ?? 'its event socket was closed'));
    return dialog.remoteSdp;
  }

  async #modify({ dialog }: Channel, sdp: string): Promise<string> {
    const { status, reason, body } = await dialog.reinvite(sdp);
    if (status >= 300) throw refusalOf({ status, reason });
    return body;
  }

  async #bridge(one: Channel, other: Channel): Promise<string> {
    try {
      await one.endpoint.bridge(other.endpoint);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message.trim().slice(0, 100) : '';
      throw new GatewayError('media_lost', `FreeSWITCH does not join its channels: ${why}`, { cause });
    }
    return '';
  }

  #release(name: string): string {
    if (this.#underWay.has(name)) this.#givenUp.add(name);
    const channel = this.#open.get(name);
    this.#open.delete(name);
    void channel?.dialog.bye();
    return '';
  }

  #find(name: string): Channel {
    const channel = this.#open.get(name);
    if (!channel) throw new GatewayError('closed', 'The channel has ended.');
    return channel;
  }
}

/** What FreeSWITCH answered to an INVITE of ours; 415, 488 and 606 are about codecs (RFC 3261 §21.4.26). */
function refusalOf(thrown: unknown): GatewayError {
  const { status, reason = '' } = (thrown ?? {}) as { status?: number; reason?: string };
  if (status === 415 || status === 488 || status === 606) {
    return new GatewayError('no_common_codec', 'FreeSWITCH takes none of the codecs that the phone offers.');
  }
  const said = status === undefined ? (thrown instanceof Error ? thrown.message : '') : `${status} ${reason}`.trim();
  return new GatewayError('media_lost', `FreeSWITCH did not take the call: ${said.slice(0, 100)}.`, {
    cause: thrown,
    retryAfterMs: 5_000,
  });
}
