// Owns: the trunks at work: one line for each trunk that there is, made anew when it changes.
import { EventEmitter } from 'node:events';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import type { TrunkEvents, TrunkRecord, TrunkStatus } from '#core/trunk.ts';
import type { Trunks } from '#core/trunks.ts';
import type { SipLink } from '../link.ts';
import { OwnAddresses } from './own-addresses.ts';
import { newTrunkMemory, TrunkLine, type TrunkMemory } from './trunk-line.ts';

export interface TrunkLinesOptions {
  readonly trunks: Trunks;
  /** Why its calls cannot have their media; undefined where they can. */
  readonly mediaProblemOf: (trunk: TrunkRecord) => string | undefined;
  readonly log: Logger;
}

export class TrunkLines extends Owned {
  readonly events = new EventEmitter<TrunkEvents>();
  readonly #trunks: Trunks;
  readonly #log: Logger;
  readonly #lines = new Map<string, TrunkLine>();
  readonly #memories = new Map<string, TrunkMemory>();
  readonly #mediaProblemOf: (trunk: TrunkRecord) => string | undefined;
  #link: Pick<SipLink, 'request' | 'isUp' | 'events'> | undefined;

  constructor({ trunks, mediaProblemOf, log }: TrunkLinesOptions) {
    super();
    this.#mediaProblemOf = mediaProblemOf;
    this.#trunks = trunks;
    this.#log = log;
  }

  /** Registers and asks from now on. */
  start(link: Pick<SipLink, 'request' | 'isUp' | 'events'>): void {
    this.#link = link;
    // Each registration of each trunk listens for a new link.
    link.events.setMaxListeners(0);
    this.#trunks.events.on('changed', this.#opened);
    this.#trunks.events.on('deleted', this.#gone);
    for (const trunk of this.#trunks.all) this.#opened(trunk);
    this.own(new OwnAddresses()).events.on('changed', this.#moved);
  }

  /** What `mediaProblemOf` says has changed. */
  noteMedia(): void {
    for (const line of this.#lines.values()) line.noteMedia(this.#mediaProblemOf(line.trunk));
  }

  /** @returns undefined while phones are turned off here */
  statusOf(id: string): TrunkStatus | undefined {
    return this.#lines.get(id)?.status;
  }

  get all(): Iterable<TrunkLine> {
    return this.#lines.values();
  }

  find(id: string): TrunkLine | undefined {
    return this.#lines.get(id);
  }

  /** For calls out. @param idOrName @throws GatewayError `not_found`, `unprocessable` (disabled, no outbound) */
  outbound(idOrName: string): TrunkLine {
    const trunk = this.#trunks.get(idOrName);
    const line = this.#lines.get(trunk.id);
    if (!line || !trunk.isEnabled) throw new GatewayError('unprocessable', `The trunk "${trunk.name}" is disabled.`);
    if (!trunk.outbound) throw new GatewayError('unprocessable', `The trunk "${trunk.name}" takes no calls out.`);
    return line;
  }

  readonly #opened = (trunk: TrunkRecord): void => {
    const before = this.#lines.get(trunk.id);
    void before?.close();
    if (!this.#link || this.isClosed) return;
    const memory = this.#memories.get(trunk.id) ?? newTrunkMemory();
    this.#memories.set(trunk.id, memory);
    const line = this.own(
      new TrunkLine({
        trunk,
        password: this.#trunks.passwordOf(trunk.outbound),
        link: this.#link,
        memory,
        log: this.#log.child({ trunk: trunk.name }),
      }),
    );
    this.#lines.set(trunk.id, line);
    line.events.on('changed', (status) => this.#changed(trunk, status));
    line.noteMedia(this.#mediaProblemOf(trunk));
  };

  readonly #moved = (): void => {
    this.#log.info({}, 'this machine has other addresses: trunks are registered with anew');
    for (const line of this.#lines.values()) line.registerAgain();
  };

  readonly #gone = ({ id }: TrunkRecord): void => {
    void this.#lines.get(id)?.close();
    this.#lines.delete(id);
    this.#memories.delete(id);
  };

  #changed(trunk: TrunkRecord, status: TrunkStatus): void {
    const { state, lastError } = status;
    if (state !== 'up' && state !== 'down') return;
    this.#log[state === 'up' ? 'info' : 'warn']({ trunk: trunk.name, reason: lastError }, `trunk ${state}`);
    this.events.emit(state, trunk, status);
  }

  protected override onClose(_reason: CloseReason): void {
    this.#trunks.events.off('changed', this.#opened);
    this.#trunks.events.off('deleted', this.#gone);
    this.#lines.clear();
  }
}
