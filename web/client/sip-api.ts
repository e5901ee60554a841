// Owns: the HTTP API of telephony as typed calls: trunks, accounts, rules, bans, calls. May import: types of the API contract.
import type {
  DispatchRuleInput,
  DispatchRuleResource,
  DispatchSimulation,
  SimulationInput,
  SipAccount,
  SipAccountInput,
  SipBan,
  SipBanInput,
  SipCallMessages,
  SipCallResource,
  SipTrunk,
  SipTrunkInput,
} from '#api/contract.ts';

/** How the API is called; each throws ApiError. */
export interface ApiDoor {
  call<T>(method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** All pages of a list. */
  list<T>(path: string): Promise<T[]>;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

/** Objects merge, null takes away. @see RFC 7396 */
export type MergePatch<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { [K in keyof T]?: MergePatch<T[K]> | null | undefined }
    : T;

export class SipApi {
  readonly #door: ApiDoor;

  constructor(door: ApiDoor) {
    this.#door = door;
  }

  // ── Carriers and PBXs ────────────────────────────────────────────────────────────────────────────────────────────

  trunks(): Promise<SipTrunk[]> {
    return this.#door.list('sip/trunks');
  }

  createTrunk(input: SipTrunkInput): Promise<SipTrunk> {
    return this.#door.call('POST', 'sip/trunks', input);
  }

  /** A password that is left out stays as it was. */
  patchTrunk(id: string, patch: MergePatch<SipTrunkInput>): Promise<SipTrunk> {
    return this.#door.call('PATCH', `sip/trunks/${encodeURIComponent(id)}`, patch);
  }

  deleteTrunk(id: string): Promise<void> {
    return this.#door.call('DELETE', `sip/trunks/${encodeURIComponent(id)}`);
  }

  // ── Phones that register here ────────────────────────────────────────────────────────────────────────────────────

  accounts(): Promise<SipAccount[]> {
    return this.#door.list('sip/accounts');
  }

  createAccount(input: SipAccountInput): Promise<SipAccount> {
    return this.#door.call('POST', 'sip/accounts', input);
  }

  /** A password that is left out stays as it was. */
  patchAccount(id: string, patch: MergePatch<SipAccountInput>): Promise<SipAccount> {
    return this.#door.call('PATCH', `sip/accounts/${encodeURIComponent(id)}`, patch);
  }

  deleteAccount(id: string): Promise<void> {
    return this.#door.call('DELETE', `sip/accounts/${encodeURIComponent(id)}`);
  }

  // ── Which call goes where ────────────────────────────────────────────────────────────────────────────────────────

  /** In the order in which they are tried. */
  dispatchRules(): Promise<DispatchRuleResource[]> {
    return this.#door.list('sip/dispatch-rules');
  }

  createDispatchRule(input: DispatchRuleInput): Promise<DispatchRuleResource> {
    return this.#door.call('POST', 'sip/dispatch-rules', input);
  }

  patchDispatchRule(id: string, patch: MergePatch<DispatchRuleInput>): Promise<DispatchRuleResource> {
    return this.#door.call('PATCH', `sip/dispatch-rules/${encodeURIComponent(id)}`, patch);
  }

  deleteDispatchRule(id: string): Promise<void> {
    return this.#door.call('DELETE', `sip/dispatch-rules/${encodeURIComponent(id)}`);
  }

  /** What would become of a call; nothing rings. */
  simulateDispatch(call: SimulationInput): Promise<DispatchSimulation> {
    return this.#door.call('POST', 'sip/dispatch/simulate', call);
  }

  // ── Who is not listened to ───────────────────────────────────────────────────────────────────────────────────────

  bans(): Promise<SipBan[]> {
    return this.#door.list('sip/bans');
  }

  createBan(input: SipBanInput): Promise<SipBan> {
    return this.#door.call('POST', 'sip/bans', input);
  }

  deleteBan(id: string): Promise<void> {
    return this.#door.call('DELETE', `sip/bans/${encodeURIComponent(id)}`);
  }

  // ── Calls of all rooms ───────────────────────────────────────────────────────────────────────────────────────────

  /** The newest first; one page. */
  calls(filter: Readonly<Record<string, string>> = {}): Promise<Page<SipCallResource>> {
    return this.#door.call('GET', `sip/calls?${new URLSearchParams(filter)}`);
  }

  call(call: string): Promise<SipCallResource> {
    return this.#door.call('GET', `sip/calls/${encodeURIComponent(call)}`);
  }

  /** Also one that is in no room yet. */
  hangUp(call: string): Promise<void> {
    return this.#door.call('DELETE', `sip/calls/${encodeURIComponent(call)}`);
  }

  callMessages(call: string): Promise<SipCallMessages> {
    return this.#door.call('GET', `sip/calls/${encodeURIComponent(call)}/messages`);
  }
}
