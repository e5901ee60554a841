// Owns: drachtio-srf's reading of messages, at a fifth of its price. Its own looks a variable of the environment up for every
// header of every message, tries patterns on each, and walks all headers to find one. Whatever is out of the ordinary is
// left to it, so that both read alike (srf-messages.test.ts).
import { createRequire } from 'node:module';
import type { MessageFrame } from './server/index.ts';

/** What drachtio-srf/lib/sip-parser/parser.js makes of a text. */
export interface ParsedMessage {
  version?: string;
  method?: string;
  uri?: string;
  status?: number;
  reason?: string;
  headers: Record<string, string>;
  body: string | undefined;
  payload: { type: string | undefined; content: string | undefined }[];
}

export type ParseMessage = (text: string, isLazy: boolean) => ParsedMessage | undefined;

interface Parser {
  parseSipMessage: ParseMessage;
  getHeaderName(name: string): string;
}

/** What we use of drachtio-srf/lib/sip-parser/message.js. */
export interface ParserMessage {
  readonly headers: Record<string, unknown>;
  readonly method?: string;
  readonly status?: number;
  readonly reason?: string;
  body?: string | undefined;
  get(name: string): string | undefined;
  set(name: string, value: string): unknown;
  getHeaderName(name: string): string | undefined;
  toJSON?(): unknown;
}

const responseLine = /^SIP\/(\d+\.\d+) (\d+) (\S.*)$/;
const requestLine = /^([A-Z]+) (\S+) SIP\/(\d+\.\d+)$/;
const plainName = /^[A-Za-z][\w.!%*+`'~-]*$/;
const maxNames = 1_000;

interface QuickParser extends Parser {
  /** What it would make of the words of a message; undefined where that is not told so easily. */
  parsedOf(message: MessageFrame['message']): ParsedMessage | undefined;
}

/** The same, quickly for what is as it mostly is. */
export function quickParser({ parseSipMessage: parse, getHeaderName }: Parser): QuickParser {
  const names = new Map<string, string>();
  const nameOf = (written: string): string => {
    let name = names.get(written);
    if (name === undefined) {
      name = getHeaderName(written);
      // Peers choose names.
      if (names.size < maxNames) names.set(written, name);
    }
    return name;
  };
  const parseQuickly = (text: string): ParsedMessage | undefined => {
    const headEnd = text.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    let lineEnd = text.indexOf('\r\n');
    const message = readStart(text.slice(0, lineEnd));
    if (!message) return undefined;
    while (lineEnd < headEnd) {
      const start = lineEnd + 2;
      lineEnd = text.indexOf('\r\n', start);
      const colon = text.indexOf(':', start);
      const written = text.slice(start, colon);
      if (colon < 0 || colon > lineEnd || !plainName.test(written)) return undefined;
      addTo(message, nameOf(written), text.slice(colon + 1, lineEnd).trimStart());
    }
    const type = message.headers['content-type'];
    const declared = message.headers['content-length'] ?? '';
    const length = Number(declared);
    if (!/^\d{1,6}$/.test(declared) || (length > 0 && type?.includes('multipart/'))) return undefined;
    // Its characters are counted as if they were bytes, up to the bytes that there are: none is cut that way.
    return withBody(message, length === 0 ? '' : text.slice(headEnd + 4, headEnd + 4 + length));
  };
  const parsedOf = (message: MessageFrame['message']): ParsedMessage | undefined => {
    const { method, uri, status, reason } = message;
    const hasPlainStart = status > 0 ? /^\S/.test(reason) : /^[A-Z]+$/.test(method);
    if (!hasPlainStart) return undefined;
    const rest = { version: '2.0', headers: {}, body: undefined, payload: [] };
    const parsed: ParsedMessage = status > 0 ? { status, reason, ...rest } : { method, uri, ...rest };
    for (let i = 0; i < message.names.length; i++) {
      const { name, spelled } = message.names[i] ?? { name: '', spelled: '' };
      if (name === 'content-length') continue;
      if (!plainName.test(spelled)) return undefined;
      addTo(parsed, nameOf(spelled), message.values[i] ?? '');
    }
    const { length } = message.body;
    if (length > 0 && parsed.headers['content-type']?.includes('multipart/')) return undefined;
    parsed.headers['content-length'] = String(length);
    return withBody(parsed, message.bodyText);
  };
  return {
    parseSipMessage: (text, isLazy) =>
      (isLazy && typeof text === 'string' && parseQuickly(text)) || parse(text, isLazy),
    getHeaderName: nameOf,
    parsedOf,
  };
}

function addTo({ headers }: ParsedMessage, name: string, value: string): void {
  headers[name] = name in headers ? `${headers[name]},${value}` : value;
}

function withBody(message: ParsedMessage, body: string): ParsedMessage {
  message.body = body;
  message.payload.push({ type: message.headers['content-type'], content: body });
  return message;
}

function readStart(line: string): ParsedMessage | undefined {
  const rest = { headers: {}, body: undefined, payload: [] };
  const response = responseLine.exec(line);
  if (response) return { version: response[1] ?? '', status: Number(response[2]), reason: response[3] ?? '', ...rest };
  const request = requestLine.exec(line);
  return request ? { method: request[1] ?? '', uri: request[2] ?? '', version: request[3] ?? '', ...rest } : undefined;
}

const load = createRequire(import.meta.url);

/** From now on, in this process. @returns what reads messages that are handed over */
export function teachMessages(): Pick<QuickParser, 'parsedOf'> {
  const parser = load('drachtio-srf/lib/sip-parser/parser') as Parser;
  const { parsedOf, ...quick } = quickParser({ ...parser });
  Object.assign(parser, quick);
  const { prototype } = load('drachtio-srf/lib/sip-parser/message') as { readonly prototype: ParserMessage };
  prototype.getHeaderName = function (name) {
    const lower = name.toLowerCase();
    if (Object.hasOwn(this.headers, lower)) return lower;
    for (const key in this.headers) if (key.length === lower.length && key.toLowerCase() === lower) return key;
    return undefined;
  };
  // It puts each message into words, more than once, for a log that nobody has turned on.
  prototype.toJSON = () => undefined;
  return { parsedOf };
}
