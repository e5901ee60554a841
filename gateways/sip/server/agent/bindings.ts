// Owns: what drachtio-server does between its transactions and its application: requests in, requests out, and the
// dialogs they make. May import: every other folder of this server, core.
import type { SipMessage } from '../message/message.ts';
import { parseNameAddrs } from '../message/name-addr.ts';
import { parseUri, type SipUri } from '../message/uri.ts';
import type { Flow } from '../transport/flow.ts';
import { isBehindNat } from './contacts.ts';

interface Binding {
  readonly flow: Flow;
  readonly untilMs: number;
}

const maxBindings = 50_000;

/** Which connection a phone registered over, since its Contact often cannot be dialled (RFC 5626, RFC 7118 §5). */
export class Bindings {
  readonly #flows = new Map<string, Binding>();

  /** Call with each REGISTER that the application accepted. */
  learn(register: SipMessage, response: SipMessage, flow: Flow): void {
    for (const line of register.all('contact')) {
      if (line === '*') continue;
      for (const { uri, params } of parseNameAddrs(line) ?? []) {
        const parsed = parseUri(uri);
        if (!parsed) continue;
        const seconds = Number(params.get('expires') ?? response.get('expires') ?? register.get('expires') ?? 3600);
        if (seconds === 0) this.#flows.delete(keyOf(parsed));
        else if (flow.isReliable || isBehindNat(parsed, flow)) this.#keep(keyOf(parsed), flow, seconds);
      }
    }
  }

  /** @returns undefined where the URI is reached as it says */
  flowFor(uri: SipUri): Flow | undefined {
    const key = keyOf(uri);
    const binding = this.#flows.get(key);
    if (!binding) return undefined;
    if (binding.flow.isOpen && binding.untilMs > performance.now()) return binding.flow;
    this.#flows.delete(key);
    return undefined;
  }

  #keep(key: string, flow: Flow, seconds: number): void {
    this.#flows.delete(key);
    if (this.#flows.size >= maxBindings) {
      const oldest = this.#flows.keys().next().value;
      if (oldest !== undefined) this.#flows.delete(oldest);
    }
    this.#flows.set(key, { flow, untilMs: performance.now() + seconds * 1000 });
  }
}

function keyOf(uri: SipUri): string {
  return `${uri.user ?? ''}@${uri.host}:${uri.port ?? ''}`;
}
