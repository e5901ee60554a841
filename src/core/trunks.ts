// Owns: the trunks that the API keeps, their passwords sealed. May import: core only.
import { EventEmitter } from 'node:events';
import { flawOfRange } from './address-ranges.ts';
import { GatewayError } from './errors.ts';
import { randomText } from './ids.ts';
import { MadeAt } from './made-at.ts';
import type { SecretBox } from './secret-box.ts';
import type { StorePort } from './store-port.ts';
import type { TrunkInput, TrunkRecord } from './trunk.ts';

export interface TrunksOptions {
  readonly store: StorePort;
  readonly secrets: SecretBox;
}

const collection = 'sip-trunks';
const maxTrunks = 500;

/** In the order in which they were made, which is the order in which a call is compared with them. */
export class Trunks {
  readonly events = new EventEmitter<{ changed: [trunk: TrunkRecord]; deleted: [trunk: TrunkRecord] }>();
  readonly #options: TrunksOptions;
  readonly #madeAt = new MadeAt();
  #all: readonly TrunkRecord[] = [];

  static async create(options: TrunksOptions): Promise<Trunks> {
    const trunks = new Trunks(options);
    await trunks.#refresh();
    return trunks;
  }

  private constructor(options: TrunksOptions) {
    this.#options = options;
  }

  get all(): readonly TrunkRecord[] {
    return this.#all;
  }

  /** By id or name. @throws GatewayError `not_found` */
  get(idOrName: string): TrunkRecord {
    const found = this.find(idOrName);
    if (!found) throw new GatewayError('not_found', `There is no trunk "${idOrName.slice(0, 64)}".`);
    return found;
  }

  find(idOrName: string): TrunkRecord | undefined {
    return this.#all.find(({ id }) => id === idOrName) ?? this.#all.find(({ name }) => name === idOrName);
  }

  /** @throws GatewayError `invalid_request`, `conflict` (name), `limit_reached` */
  async create(input: TrunkInput): Promise<TrunkRecord> {
    assertSound(input);
    this.#assertFree(input.name);
    if (this.#all.length >= maxTrunks)
      throw new GatewayError('limit_reached', `There are ${maxTrunks} trunks already.`);
    return this.#write(`TK_${randomText(12)}`, input, this.#madeAt.next());
  }

  /** Replaces it; a password that is left out stays. @throws GatewayError `not_found`, `invalid_request`, `conflict` */
  async replace(id: string, input: TrunkInput): Promise<TrunkRecord> {
    const before = this.get(id);
    assertSound(input, before);
    this.#assertFree(input.name, before.id);
    return this.#write(before.id, input, before.createdAtMs, before);
  }

  /** What would be given to make it as it is; its passwords stay by being left out. */
  inputOf({ id: _id, createdAtMs: _at, inbound, outbound, ...rest }: TrunkRecord): TrunkInput {
    const { sealedPassword: _in, ...into } = inbound ?? {};
    const { sealedPassword: _out, ...out } = outbound ?? { hosts: [] };
    return { ...rest, ...(inbound && { inbound: into }), ...(outbound && { outbound: out }) };
  }

  /** @throws GatewayError `not_found` */
  async delete(id: string): Promise<void> {
    const gone = this.get(id);
    await this.#options.store.delete(collection, gone.id);
    await this.#refresh();
    this.events.emit('deleted', gone);
  }

  /** @returns undefined where there is none, or where the key that sealed it is gone: nobody gets in by it then */
  passwordOf(side: { readonly sealedPassword?: string | undefined } | undefined): string | undefined {
    if (side?.sealedPassword === undefined) return undefined;
    try {
      return this.#options.secrets.open(side.sealedPassword);
    } catch {
      return undefined;
    }
  }

  async #write(id: string, input: TrunkInput, createdAtMs: number, before?: TrunkRecord): Promise<TrunkRecord> {
    const { inbound, outbound, isEnabled = true, ...rest } = input;
    const record: TrunkRecord = {
      ...{ ...rest, id, createdAtMs, isEnabled },
      ...(inbound && { inbound: this.#sealed(inbound, before?.inbound) }),
      ...(outbound && { outbound: this.#sealed(outbound, before?.outbound) }),
    };
    await this.#options.store.put(collection, id, record, before ? undefined : 0);
    await this.#refresh();
    const written = this.get(id);
    this.events.emit('changed', written);
    return written;
  }

  #sealed<S extends { password?: string | undefined; username?: string | undefined }>(
    { password, ...side }: S,
    before: { readonly sealedPassword?: string | undefined } | undefined,
  ): Omit<S, 'password'> & { sealedPassword?: string } {
    const isNamed = side.username !== undefined;
    const kept = isNamed ? before?.sealedPassword : undefined;
    const sealedPassword = password === undefined ? kept : this.#options.secrets.seal(password);
    return { ...side, ...(sealedPassword !== undefined && { sealedPassword }) };
  }

  #assertFree(name: string, id?: string): void {
    const other = this.#all.find((one) => one.name === name && one.id !== id);
    if (other) throw new GatewayError('conflict', `There is a trunk called "${name}" already.`);
  }

  async #refresh(): Promise<void> {
    const stored = await this.#options.store.list<TrunkRecord>(collection, { limit: maxTrunks });
    this.#all = stored
      .map(({ value }) => value)
      .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
  }
}

/** What the shapes of the API cannot say. */
function assertSound({ inbound, outbound }: TrunkInput, before?: TrunkRecord): void {
  if (!inbound && !outbound) throw invalid('inbound', 'a trunk has inbound, outbound or both');
  for (const range of inbound?.addresses ?? []) {
    const flaw = flawOfRange(range);
    if (flaw) throw invalid('inbound.addresses', flaw.replace(/\.$/, ''));
  }
  if (inbound && !inbound.addresses?.length && inbound.username === undefined && !outbound?.registration) {
    throw invalid(
      'inbound',
      'needs addresses, or a username and password, or a registration of outbound to be called by',
    );
  }
  const isKept = before?.inbound?.sealedPassword !== undefined;
  if (inbound?.username !== undefined && inbound.password === undefined && !isKept) {
    throw invalid('inbound.password', 'belongs to a username');
  }
  if (outbound?.registration && outbound.username === undefined) {
    throw invalid('outbound.username', 'is needed to register');
  }
}

function invalid(path: string, message: string): GatewayError {
  return new GatewayError('invalid_request', `"${path}": ${message}.`, { fields: [{ path, message }] });
}
