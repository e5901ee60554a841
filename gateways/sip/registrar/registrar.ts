// Owns: REGISTER of phones: who may, for how long, and what they are told. @see RFC 3261 §10.3
import { dialledOf } from '#core/dispatch.ts';
import { GatewayError } from '#core/errors.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import type { Logger } from '#core/ports.ts';
import type { AccountRecord } from '#core/sip-account.ts';
import type { SipAccounts } from '#core/sip-accounts.ts';
import type { StorePort } from '#core/store-port.ts';
import type { InboundRequest } from '../inbound-call.ts';
import type { PasswordCheck } from '../password-check.ts';
import { refuse } from '../status.ts';
import { type ContactWords, contactsIn, routeOf, secondsIn } from '../trunks/register-words.ts';
import { type Binding, ContactBook, type PhoneInstance } from './contact-book.ts';
import { ContactStore } from './contact-store.ts';

export interface RegistrarOptions {
  readonly accounts: SipAccounts;
  readonly passwords: PasswordCheck;
  readonly minExpiresSec: number;
  readonly maxExpiresSec: number;
  readonly store: StorePort;
  readonly log: Logger;
}

const sweepMs = 5_000;
const defaultExpiresSec = 3_600;
/** Goes into control frames and back out as a Request-URI. */
const contactPattern = /^sips?:[^\s<>"|,]{1,480}$/i;
/** Goes back out in the Contact of our answer. */
const instancePattern = /^<[\w:.%-]{1,120}>$/;

export class Registrar extends Owned {
  readonly book = new ContactBook();
  readonly #options: RegistrarOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #store: ContactStore;

  constructor(options: RegistrarOptions) {
    super();
    this.#options = options;
    this.#store = new ContactStore(options.store);
    this.book.changes.on('changed', (id, bindings) => this.#store.keep(id, bindings, (err) => this.#notKept(err)));
    this.#timer = setInterval(() => this.book.sweep(), sweepMs).unref();
    options.accounts.events.on('changed', this.#changed);
    options.accounts.events.on('deleted', this.#deleted);
  }

  /** Phones that were registered before a restart, until their time is over. */
  async restore(): Promise<void> {
    await this.#store.load(this.book, this.#options.accounts);
  }

  #notKept(err: unknown): void {
    this.#options.log.warn({ err }, 'phones of an account will not be known after a restart');
  }

  take(request: InboundRequest): void {
    try {
      this.#register(request);
    } catch (thrown) {
      const error =
        thrown instanceof GatewayError ? thrown : new GatewayError('internal', 'REGISTER failed.', { cause: thrown });
      this.#options.log.warn(
        { source: request.source.address, code: error.code, reason: error.message },
        'registration refused',
      );
      refuse(request, error);
    }
  }

  /** Username of the account one of whose phones registered this Contact. */
  accountAt(contact: string): string | undefined {
    return this.book.accountAt(contact)?.username;
  }

  #register(request: InboundRequest): void {
    const { accounts, passwords, log } = this.#options;
    const username = passwords.prove(request, (name) => accounts.passwordOf(name));
    if (username === undefined) return;
    const account = accounts.find(username);
    if (!account || dialledOf(addressIn(request.header('to'))).toLowerCase() !== account.username.toLowerCase()) {
      throw new GatewayError('forbidden', 'An account registers phones for its own address alone.');
    }
    const asked = request.header('contact');
    if (asked !== undefined && !this.#update(account, asked, request)) return;
    const bindings = this.book.of(account.id);
    const headers = {
      ...(bindings.length > 0 && { contact: contactHeader(bindings) }),
      ...(request.header('path') !== undefined && { path: request.header('path') ?? '', supported: 'path' }),
      date: new Date().toUTCString(),
    };
    log.debug({ account: account.username, phones: bindings.length, source: sourceOf(request) }, 'phone registered');
    request.respond(200, { headers });
  }

  /** @returns false when it was refused */
  #update(account: AccountRecord, contact: string, request: InboundRequest): boolean {
    const { minExpiresSec, maxExpiresSec } = this.#options;
    const expiresSec = secondsIn(request.header('expires'));
    if (contact.trim() === '*') {
      if (expiresSec !== 0) throw new GatewayError('invalid_request', '"Contact: *" is for "Expires: 0" alone.');
      this.book.clear(account);
      return true;
    }
    const found = contactsIn(contact).filter(({ uri }) => contactPattern.test(uri));
    if (found.length === 0) throw new GatewayError('invalid_request', 'There is no Contact that could be called.');
    const times = found.map(({ params }) => secondsIn(params.get('expires')) ?? expiresSec ?? defaultExpiresSec);
    if (times.some((seconds) => seconds > 0 && seconds < minExpiresSec)) {
      request.respond(423, { headers: { 'min-expires': String(minExpiresSec) } });
      return false;
    }
    const nowMs = Date.now();
    const shared = {
      ...{ path: routeOf(request.header('path')), source: sourceOf(request), callId: request.callId },
      ...{ cseq: Number.parseInt(request.header('cseq') ?? '0', 10), registeredAtMs: nowMs },
      userAgent: (request.header('user-agent') ?? '').replaceAll(/\p{C}/gu, '').slice(0, 128),
    };
    const given = found.map(({ uri, params }, place): Binding => {
      const expiresAtMs = nowMs + Math.min(times[place] ?? 0, maxExpiresSec) * 1_000;
      return { ...shared, uri, instance: instanceOf(params), expiresAtMs };
    });
    const refusal = this.book.update(account, given);
    if (refusal === 'too_many') {
      throw new GatewayError('forbidden', `The account has ${account.maxContacts} phones, the most that it may have.`);
    }
    // RFC 3261 §10.3 step 7: it was overtaken by a later one.
    if (refusal === 'out_of_order') request.respond(500, { headers: { 'retry-after': '1' } });
    return refusal === undefined;
  }

  readonly #changed = (account: AccountRecord): void => {
    if (!account.isEnabled) this.book.clear(account);
  };

  readonly #deleted = (account: AccountRecord): void => this.book.clear(account);

  protected override async onClose(_reason: CloseReason): Promise<void> {
    clearInterval(this.#timer);
    this.#options.accounts.events.off('changed', this.#changed);
    this.#options.accounts.events.off('deleted', this.#deleted);
    await this.#store.settled();
  }
}

function contactHeader(bindings: readonly Binding[]): string {
  const nowMs = Date.now();
  return bindings
    .map(({ uri, instance, expiresAtMs }) => {
      const shown = instance ? `;+sip.instance="${instance.id}"${instance.regId && `;reg-id=${instance.regId}`}` : '';
      return `<${uri}>;expires=${Math.max(1, Math.round((expiresAtMs - nowMs) / 1_000))}${shown}`;
    })
    .join(', ');
}

function instanceOf(params: ContactWords['params']): PhoneInstance | undefined {
  const [id] = instancePattern.exec(params.get('+sip.instance') ?? '') ?? [];
  const [regId = ''] = /^\d{1,10}$/.exec(params.get('reg-id') ?? '') ?? [];
  return id === undefined ? undefined : { id, regId };
}

function addressIn(header: string | undefined): string {
  return contactsIn(header ?? '')[0]?.uri ?? '';
}

function sourceOf({ source }: InboundRequest): string {
  return `${source.protocol}/${source.address}:${source.port}`;
}
