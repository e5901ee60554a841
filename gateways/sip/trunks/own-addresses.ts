// Owns: whether this machine has other addresses than before: a registrar that was told the old ones calls nobody.
import { EventEmitter } from 'node:events';
import { networkInterfaces } from 'node:os';
import { type CloseReason, Owned } from '#core/lifecycle.ts';

/**
 * Between two looks. A change is told of when the next one sees the same: by then whatever says in a Contact where we are
 * has read them anew as well, and an interface that comes and goes is waited out.
 */
const lookMs = 15_000;

export class OwnAddresses extends Owned {
  readonly events = new EventEmitter<{ changed: [] }>();
  readonly #read: () => string;
  readonly #timer: NodeJS.Timeout;
  #told: string;
  #seen: string;

  /** @param read all of them in words, in an order that stays */
  constructor(read: () => string = outwardAddresses) {
    super();
    this.#read = read;
    this.#told = read();
    this.#seen = this.#told;
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  #look(): void {
    const now = this.#read();
    const isSteady = now === this.#seen;
    this.#seen = now;
    if (!isSteady || now === this.#told || now === '') return;
    this.#told = now;
    this.events.emit('changed');
  }

  protected override onClose(_reason: CloseReason): void {
    clearInterval(this.#timer);
    this.events.removeAllListeners();
  }
}

function outwardAddresses(): string {
  return Object.values(networkInterfaces())
    .flatMap((infos) => infos ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80'))
    .map(({ address }) => address)
    .sort()
    .join(' ');
}
