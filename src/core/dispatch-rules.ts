// Owns: the rules for calls that come in: those of the configuration, then those that the API keeps. May import: core only.
import { flawOfPattern } from './bounded-pattern.ts';
import type { DispatchHook, DispatchRule } from './dispatch.ts';
import { isTimeZone } from './dispatch-match.ts';
import { GatewayError } from './errors.ts';
import { randomText } from './ids.ts';
import { MadeAt } from './made-at.ts';
import { flawOfMenu, type PhoneMenu, promptsOf } from './phone-menu.ts';
import { openedPin, pinPattern } from './room-pins.ts';
import type { SecretBox } from './secret-box.ts';
import type { StorePort } from './store-port.ts';

export interface DispatchRuleInput extends DispatchRule {
  /** Lower comes first. */
  readonly order?: number | undefined;
}

/** As it is kept: the PIN and the secret of the webhook sealed. */
interface RuleRecord extends Omit<DispatchRule, 'pin' | 'webhook'> {
  readonly id: string;
  readonly order: number;
  readonly sealedPin?: string | undefined;
  readonly hook?: (Omit<DispatchHook, 'secret'> & { readonly sealedSecret: string }) | undefined;
  readonly createdAtMs: number;
}

export interface KnownRule extends DispatchRule {
  /** `config-0` for the first of the configuration. */
  readonly id: string;
  readonly source: 'config' | 'api';
  readonly order: number;
  readonly createdAtMs: number | undefined;
}

export interface DispatchRulesOptions {
  readonly store: StorePort;
  readonly secrets: SecretBox;
  readonly configured: readonly DispatchRule[];
  /** Names of the recordings that menus may play. */
  readonly prompts?: (() => Promise<ReadonlySet<string>>) | undefined;
}

const collection = 'dispatch-rules';
const defaultOrder = 100;
const maxRules = 1_000;
/** Of recordings that are missing. */
const maxNamed = 10;

/** The configuration goes first: what the operator wrote there cannot be overruled by a key. */
export class DispatchRules {
  readonly #options: DispatchRulesOptions;
  readonly #madeAt = new MadeAt();
  #all: readonly KnownRule[] = [];

  static async create(options: DispatchRulesOptions): Promise<DispatchRules> {
    const rules = new DispatchRules(options);
    await rules.#refresh();
    return rules;
  }

  private constructor(options: DispatchRulesOptions) {
    this.#options = options;
  }

  /** In the order in which they are tried. */
  get all(): readonly KnownRule[] {
    return this.#all;
  }

  /** @throws GatewayError `not_found` */
  get(id: string): KnownRule {
    const found = this.#all.find((rule) => rule.id === id);
    if (!found) throw new GatewayError('not_found', 'There is no such rule.');
    return found;
  }

  /** @throws GatewayError `invalid_request`, `limit_reached` */
  async create(input: DispatchRuleInput): Promise<KnownRule> {
    assertSound(input);
    await this.#assertHeard(input.menu);
    if (this.#all.length >= maxRules) throw new GatewayError('limit_reached', `There are ${maxRules} rules already.`);
    const id = `DR_${randomText(12)}`;
    await this.#write(id, input, this.#madeAt.next(), 0);
    return this.get(id);
  }

  /** Replaces it. @throws GatewayError `not_found`, `invalid_request`, `conflict` (of the configuration) */
  async replace(id: string, input: DispatchRuleInput): Promise<KnownRule> {
    const { createdAtMs = Date.now() } = this.#own(id);
    assertSound(input);
    await this.#assertHeard(input.menu);
    await this.#write(id, input, createdAtMs);
    return this.get(id);
  }

  /** What would be given to make it as it is. @throws GatewayError `not_found`, `conflict` (of the configuration) */
  inputOf(id: string): DispatchRuleInput {
    const { id: _id, source: _source, createdAtMs: _at, ...input } = this.#own(id);
    return input;
  }

  /** @throws GatewayError `not_found`, `conflict` (of the configuration) */
  async delete(id: string): Promise<void> {
    this.#own(id);
    await this.#options.store.delete(collection, id);
    await this.#refresh();
  }

  /** Nobody is to find out on the phone that a menu is mute. */
  async #assertHeard(menu: PhoneMenu | undefined): Promise<void> {
    const known = menu && (await this.#options.prompts?.());
    if (!menu || !known) return;
    const missing = [...promptsOf(menu)].filter((name) => !known.has(name)).slice(0, maxNamed);
    if (missing.length === 0) return;
    throw invalid('menu', `there is no recording ${missing.join(', ')}; put one into mix.promptsFolder`);
  }

  #own(id: string): KnownRule {
    const rule = this.get(id);
    if (rule.source === 'api') return rule;
    throw new GatewayError('conflict', 'This rule stands in the configuration (sip.rules); change it there.');
  }

  async #write(id: string, input: DispatchRuleInput, createdAtMs: number, revision?: number): Promise<void> {
    const { store, secrets } = this.#options;
    const { pin, webhook, order = defaultOrder, ...rest } = input;
    const record: RuleRecord = {
      ...rest,
      ...{ id, order, createdAtMs },
      ...(pin !== undefined && { sealedPin: secrets.seal(pin) }),
      ...(webhook && { hook: sealedHook(webhook, secrets) }),
    };
    await store.put(collection, id, record, revision);
    await this.#refresh();
  }

  async #refresh(): Promise<void> {
    const { store, secrets, configured } = this.#options;
    const stored = await store.list<RuleRecord>(collection, { limit: maxRules });
    const own = stored
      .map(({ value: { sealedPin, hook, ...rule } }): KnownRule => {
        const pin = sealedPin === undefined ? undefined : openedPin(sealedPin, secrets);
        // A PIN that can no longer be read must not open the door: the room's own is asked for then.
        const isLost = sealedPin !== undefined && pin === undefined;
        const webhook = hook && openedHook(hook, secrets);
        return {
          ...rule,
          source: 'api',
          ...(webhook && { webhook }),
          ...(pin !== undefined && { pin }),
          ...(isLost && { access: 'pin' }),
        };
      })
      .sort((a, b) => a.order - b.order || (a.createdAtMs ?? 0) - (b.createdAtMs ?? 0));
    const first = configured.map(
      (rule, index): KnownRule => ({
        ...rule,
        id: `config-${index}`,
        source: 'config',
        order: 0,
        createdAtMs: undefined,
      }),
    );
    this.#all = [...first, ...own];
  }
}

function sealedHook({ secret, ...hook }: DispatchHook, secrets: SecretBox): NonNullable<RuleRecord['hook']> {
  return { ...hook, sealedSecret: secrets.seal(secret) };
}

/** Where the key is gone nothing is asked any more, and its fallback holds: an empty secret signs nothing. */
function openedHook({ sealedSecret, ...hook }: NonNullable<RuleRecord['hook']>, secrets: SecretBox): DispatchHook {
  try {
    return { ...hook, secret: secrets.open(sealedSecret) };
  } catch {
    return { ...hook, secret: '' };
  }
}

/** What the shapes of the API and of the configuration cannot say. */
function assertSound(input: DispatchRuleInput): void {
  const { number, numberRange, pattern, from, fromPattern, divertedFrom, trunk, account, headers, time, pin } = input;
  const asked = [number, numberRange, pattern, from, fromPattern, divertedFrom, trunk, account, headers, time];
  if (asked.every((one) => one === undefined)) throw invalid('number', 'something has to be asked of the call');
  const targets = [input.room, input.reject, input.personalRoom, input.webhook, input.menu].filter(
    (one) => one !== undefined,
  );
  if (targets.length !== 1) throw invalid('room', 'one of room, personalRoom, menu, webhook and reject is needed');
  const flaw = input.menu && flawOfMenu(input.menu);
  if (flaw) throw invalid(`menu.${flaw.path}`, flaw.message);
  if (input.menu && (input.pin ?? input.access) !== undefined) throw invalid('menu', 'its rooms say who may come in');
  const patterns: [string, string][] = Object.entries(headers ?? {}).map(([name, text]) => [`headers.${name}`, text]);
  if (pattern !== undefined) patterns.push(['pattern', pattern]);
  if (fromPattern !== undefined) patterns.push(['fromPattern', fromPattern]);
  for (const [path, text] of patterns) {
    const flaw = flawOfPattern(text);
    if (flaw) throw invalid(path, flaw);
  }
  if (time?.timeZone !== undefined && !isTimeZone(time.timeZone)) throw invalid('time.timeZone', 'is no time zone');
  if (pin !== undefined && !pinPattern.test(pin)) throw invalid('pin', 'has 4 to 16 digits');
}

function invalid(path: string, message: string): GatewayError {
  return new GatewayError('invalid_request', `"${path}": ${message}.`, { fields: [{ path, message }] });
}
