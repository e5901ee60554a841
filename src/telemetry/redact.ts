// Owns: what may appear in a log line. Pure. May import: core, config.
import { GatewayError } from '#core/errors.ts';
import type { LogFields } from '#core/ports.ts';

/** Field names whose value is a credential, whole or as the last word: `token`, `adminKey`, `x-auth-token`. */
const secretName =
  /(^|[_.-])(authorization|proxy-authorization|cookie|set-cookie|token|ticket|jwt|password|passwd|pwd|passphrase|secret|credential|credentials|key|pin|digest|response|nonce|code_verifier)s?$/i;
const secretCamelName = /[a-z0-9](Token|Ticket|Password|Secret|Credentials?|Key|Pin|Jwt)$/;

/** Credentials inside of text, by their own shape. */
const secretText: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\b(Bearer|Basic|Digest)\s+[^\s,"']+/gi, '$1 [redacted]'],
  [/\bsk_[A-Za-z0-9]+_[A-Za-z0-9]+/g, 'sk_[redacted]'],
  // Header, payload and signature of a JWT; the header always begins with {" in base64url.
  [/\beyJ[\w-]*\.[\w-]*\.?[\w-]*/g, '[redacted]'],
  [/([?&#](?:token|access_token|key|secret|login|code|password|ticket)=)[^&#\s"']+/gi, '$1[redacted]'],
  // RFC 8839 §5.4 and RFC 4568: keys inside of SDP.
  [/^(a=(?:ice-pwd|crypto):).*$/gm, '$1[redacted]'],
  // User and password of a URL.
  [/(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@"']+@/gi, '$1[redacted]@'],
];

/** Most texts have nothing that any of them could begin with. */
const suspicious = /\b(?:bearer|basic|digest)\s|\bsk_|\beyj|[?&#]|^a=|:\/\//im;

const maxDepth = 6;
const maxItems = 100;
const maxText = 4_000;
const redacted = '[redacted]';

/** The code knows few names of fields, and logs them all the time. */
const judged = new Map<string, boolean>();
const maxJudged = 2_000;

/** Names that the log line itself uses. */
const reserved = new Set(['level', 'time', 'msg']);

/** @returns fields that are safe to write: no credentials, bounded in size and depth, errors with their causes */
export function cleanFields(fields: LogFields): LogFields {
  const clean: LogFields = {};
  for (const [name, value] of Object.entries(fields)) {
    clean[reserved.has(name) ? `${name}_` : name] = isSecret(name, value) ? redacted : cleanValue(value, 0, []);
  }
  return clean;
}

function isSecret(name: string, value: unknown): boolean {
  // A count or a flag (`isSecret`, `key: 3`) tells nothing away; a PIN may well be a number.
  if (value === undefined || value === null || typeof value === 'boolean') return false;
  let isSecretName = judged.get(name);
  if (isSecretName === undefined) {
    isSecretName = secretName.test(name) || secretCamelName.test(name);
    if (judged.size < maxJudged) judged.set(name, isSecretName);
  }
  return isSecretName;
}

function cleanValue(value: unknown, depth: number, parents: readonly object[]): unknown {
  switch (typeof value) {
    case 'string':
      return cleanText(value);
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'function':
      return '[function]';
    case 'object':
      return value === null ? null : cleanObject(value, depth, parents);
    default:
      return value;
  }
}

function cleanText(text: string): string {
  // Cut first, so that a huge text costs no more than a long one.
  let clean = text.length > maxText ? `${text.slice(0, maxText)}… (${text.length} characters)` : text;
  if (!suspicious.test(clean)) return clean;
  for (const [pattern, replacement] of secretText) clean = clean.replace(pattern, replacement);
  return clean;
}

function cleanObject(value: object, depth: number, parents: readonly object[]): unknown {
  if (parents.includes(value)) return '[circular]';
  if (depth >= maxDepth) return '[deep]';
  const within = [...parents, value];
  if (value instanceof Error) return describeError(value, depth, within);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof URL || value instanceof RegExp) return cleanText(String(value));
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value) || value instanceof Set) return cleanList([...value], depth, within);
  if (value instanceof Map)
    return cleanProperties(
      [...value].map(([k, v]) => [String(k), v]),
      depth,
      within,
    );
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return describeInstance(value);
  return cleanProperties(Object.entries(value), depth, within);
}

function cleanList(items: readonly unknown[], depth: number, parents: readonly object[]): unknown[] {
  const clean = items.slice(0, maxItems).map((item) => cleanValue(item, depth + 1, parents));
  if (items.length > maxItems) clean.push(`… (${items.length} items)`);
  return clean;
}

function cleanProperties(entries: readonly [string, unknown][], depth: number, parents: readonly object[]): LogFields {
  const clean: LogFields = {};
  for (const [name, value] of entries.slice(0, maxItems)) {
    clean[name] = isSecret(name, value) ? redacted : cleanValue(value, depth + 1, parents);
  }
  if (entries.length > maxItems) clean['…'] = `${entries.length} properties`;
  return clean;
}

/** A Room or a socket would drag half of the process into the log: its class and id say which one it is. */
function describeInstance(value: object): string {
  const name = value.constructor?.name || 'object';
  const id: unknown = 'id' in value ? value.id : undefined;
  return typeof id === 'string' ? `[${name} ${cleanText(id)}]` : `[${name}]`;
}

function describeError(error: Error, depth: number, parents: readonly object[]): LogFields {
  const code = error instanceof GatewayError || 'code' in error ? (error as { code: unknown }).code : undefined;
  const fields = error instanceof GatewayError && error.fields.length > 0 ? error.fields : undefined;
  const described: LogFields = {
    type: error.name,
    message: cleanText(error.message),
    ...(code === undefined ? {} : { code: cleanValue(code, depth + 1, parents) }),
    ...(fields === undefined ? {} : { fields: cleanValue(fields, depth + 1, parents) }),
    stack: cleanText(error.stack ?? ''),
  };
  if (error.cause !== undefined) described.cause = cleanValue(error.cause, depth + 1, parents);
  if (error instanceof AggregateError) described.errors = cleanList(error.errors, depth + 1, parents);
  return described;
}
