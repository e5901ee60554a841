// Owns: calls that go out of rooms, until they are on their way.
import type { SipConfig } from '#config/schema.ts';
import type { DialOptions } from '#core/call.ts';
import { dialledOf } from '#core/dispatch.ts';
import { toGatewayError } from '#core/errors.ts';
import type { Logger } from '#core/ports.ts';
import { wishOf } from '#core/recorded-call.ts';
import { effectiveSip, type SipDefaults } from '#core/room-sip.ts';
import type { Rooms } from '#core/rooms.ts';
import type { SipCall } from './call.ts';
import type { CallTable } from './call-table.ts';
import { printable } from './caller.ts';
import { dialOut } from './dial-out.ts';
import { type PhoneBook, planOf } from './dial-plan.ts';
import type { HuntOptions, HuntTarget } from './hunt.ts';
import type { SipLink } from './link.ts';
import type { Headers } from './srf-shapes.ts';
import { allow, supported } from './status.ts';
import { firstHopOf } from './trunks/register-words.ts';
import type { TrunkLines } from './trunks/trunk-lines.ts';

export interface DeparturesOptions {
  readonly calls: CallTable;
  readonly rooms: Rooms;
  readonly lines: TrunkLines;
  readonly phones: PhoneBook;
  readonly defaults: SipDefaults;
  readonly config: SipConfig;
  readonly log: Logger;
}

export class Departures {
  readonly #options: DeparturesOptions;

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /**
   * The call is on its way when this returns.
   * @param own headers that no user of the API may set: Replaces, Referred-By
   */
  async dial(link: SipLink, options: DialOptions, own: Headers = {}): Promise<SipCall> {
    const { calls, rooms, lines, phones, defaults, config, log } = this.#options;
    const room = await rooms.open(options.room);
    const { name: roomName } = room;
    const plan = planOf(options, { lines, phones, roomName, allowedHeaders: config.headers });
    const over = Promise.withResolvers<void>();
    plan.line?.admit('outbound', over.promise);
    const number = dialledOf(plan.to);
    const sip = effectiveSip(room.record.sip, defaults);
    let call: SipCall | undefined;
    try {
      call = calls.begin(
        {
          ...{ direction: 'outbound', room, to: plan.to, hasPrompts: sip.hasPrompts },
          user: plan.account?.username ?? number,
          from: plan.from,
          displayName: printable(plan.displayName ?? (number === '' ? plan.to : number)).slice(0, 128),
          language: options.language ?? sip.language,
          hasEarlyMedia: options.hasEarlyMedia,
          hasVideo: options.video,
          calledFor: options.calledFor,
          trunk: plan.line?.trunk,
          record: wishOf(options.record ?? plan.line?.trunk.outbound?.record),
          account: plan.account,
        },
        plan.media,
      );
      void call.done.then(() => over.resolve());
      // Who is reached by WebSocket is a browser, or is to be spoken to like one (RFC 7118 §7).
      const [{ uri }] = plan.hunt.targets as [HuntTarget];
      const isWebRtc = /;transport=wss?\b/i.test(uri);
      const speech = await call.prepare(await addressesOf(link, plan.hunt), { isWebRtc });
      const headers = { ...plan.headers, ...own, allow, supported };
      const ringTimeoutMs = options.ringTimeoutMs ?? config.ringTimeoutMs;
      void dialOut({ link, call, speech, headers, plan, digits: options.digits, ringTimeoutMs, log });
    } catch (error) {
      over.resolve();
      call?.fail(toGatewayError(error));
      throw error;
    }
    return call;
  }
}

/** Of those that ring first: which address of ours they are told depends on it. */
function addressesOf(link: SipLink, { targets, isTogether }: HuntOptions): Promise<string[]> {
  const first = isTogether ? targets : targets.slice(0, 1);
  return Promise.all(
    first.map(async ({ address, proxy, uri }) => address ?? (await link.addressOf(firstHopOf(proxy ?? uri)))),
  );
}
