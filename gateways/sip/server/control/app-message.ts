// Owns: SIP messages as the application writes them: as text, and taken apart. May import: message/, ./message-frame.
import { isToken } from '../message/grammar.ts';
import { headerName, knownHeader } from '../message/header-names.ts';
import { SipMessage } from '../message/message.ts';
import { hasControl, type ParseLimits, parseHead } from '../message/parse.ts';
import type { AppMessageFrame } from './message-frame.ts';

/** What the application writes is trusted more than the network, and holds whole SDPs of browsers. */
const limits: ParseLimits = { maxHeadBytes: 99_999, maxHeaders: 512, maxHeaderBytes: 65_536 };

/** drachtio-srf counts the characters of a body, not its bytes: all that follows the headers is body. */
export function readAppMessage(text: string): SipMessage | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  const read = parseHead(headEnd < 0 ? text : text.slice(0, headEnd), limits);
  if (!read.ok) return undefined;
  const body = headEnd < 0 ? '' : text.slice(headEnd + 4);
  if (body !== '') read.message.body = Buffer.from(body, 'utf8');
  return read.message;
}

/** @returns undefined for what would be none in words either */
export function appMessageOf({ status, reason, headers, body }: AppMessageFrame): SipMessage | undefined {
  if (!(status >= 100 && status <= 699) || hasControl(reason)) return undefined;
  const message = SipMessage.response(status, reason);
  const { names, values } = message;
  for (const written in headers) {
    const header = knownHeader(written) ?? (isToken(written) ? headerName(written) : undefined);
    const value = headers[written]?.trim() ?? '';
    if (!header || hasControl(value) || value.length > limits.maxHeaderBytes) return undefined;
    names.push(header);
    values.push(value);
  }
  if (names.length > limits.maxHeaders) return undefined;
  if (body !== '') message.body = Buffer.from(body, 'utf8');
  return message;
}
