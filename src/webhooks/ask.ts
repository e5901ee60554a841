// Owns: asking a system of somebody's what becomes of a call: one signed POST, bounded, and its answer checked. May import: core.
import { randomUUID } from 'node:crypto';
import { GatewayError } from '#core/errors.ts';
import type { NetPolicy } from '#core/net-policy.ts';
import type { AskHook, HookAnswer } from '#core/sip-door.ts';
import { post } from './post.ts';
import { signatureHeaders } from './signature.ts';

const defaultTimeoutMs = 3_000;

/** @param options.policy where it may lead */
export function createHookAsker(options: { policy: NetPolicy; userAgent: string; signal: AbortSignal }): AskHook {
  const { policy, userAgent, signal } = options;
  return async ({ url, secret, timeoutMs = defaultTimeoutMs }, question) => {
    const body = JSON.stringify({ type: 'call.dispatch', ...question });
    const message = { id: `msg_${randomUUID()}`, timestampS: Math.floor(Date.now() / 1_000), body };
    const headers = {
      ...{ 'content-type': 'application/json', accept: 'application/json', 'user-agent': userAgent },
      ...signatureHeaders(message, [secret]),
    };
    const { status, text } = await post({ url: new URL(url), headers, body, policy, timeoutMs, signal });
    if (status !== 200) throw new GatewayError('upstream_refused', `It answered ${status}.`);
    return answerIn(parsed(text));
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws GatewayError `upstream_refused` for what is neither a room nor a rejection */
function answerIn(answer: unknown): HookAnswer {
  const { room, access, reject } = fieldsOf(answer);
  if (typeof room === 'string' && room !== '' && room.length <= 128) {
    return access === 'pin' || access === 'open' ? { room, access } : { room };
  }
  const { status = 603, reason } = fieldsOf(reject);
  const isStatus = typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 699;
  if (isStatus && typeof reason === 'string' && reason !== '')
    return { reject: { status, reason: reason.slice(0, 200) } };
  throw new GatewayError('upstream_refused', 'Its answer is neither a room nor a rejection.');
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
