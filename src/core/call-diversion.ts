// Owns: whom a call was for before it was sent on to us, as Diversion (RFC 5806) or History-Info (RFC 7044) say it. Pure.
// May import: core only.
import { dialledOf } from './dispatch.ts';

export interface CallDiversion {
  /** `sip:anonymous@anonymous.invalid` for who wants to be in no list. */
  readonly uri: string;
  /** Why it was sent on, in the words of RFC 5806: `user-busy`, `no-answer`, `unconditional` … */
  readonly reason: string;
}

const anonymous = 'sip:anonymous@anonymous.invalid';
const maxTextLength = 8_192;
const maxDiversions = 10;
const maxUriLength = 512;

/** Causes of RFC 4458 in the words of RFC 5806, as RFC 7544 §7 pairs them. */
const reasonOfCause: Readonly<Record<string, string>> = {
  302: 'unconditional',
  404: 'unknown',
  408: 'no-answer',
  480: 'deflection',
  486: 'user-busy',
  487: 'deflection',
  503: 'unavailable',
};

/** @returns the oldest first: the first is whom the caller had called */
export function diversionsOf(header: (name: string) => string | undefined): readonly CallDiversion[] {
  const diverted = listed(header('diversion')).map(ofDiversion).reverse();
  return diverted.length > 0 ? diverted : ofHistory(listed(header('history-info')));
}

/** Numbers or names of whom a call was for, as rules ask for them. */
export function divertedFrom(diversions: readonly CallDiversion[]): readonly string[] {
  return diversions.map(({ uri }) => dialledOf(uri));
}

function ofDiversion(entry: string): CallDiversion {
  const { uri, parameters } = nameAddress(entry);
  const isPrivate = /^(full|uri)$/i.test(parameters.get('privacy') ?? '');
  return { uri: isPrivate ? anonymous : uri, reason: (parameters.get('reason') ?? 'unknown').toLowerCase() };
}

/** The last of them is where the call goes now; each other was left for a cause that the one after it tells. */
function ofHistory(entries: readonly string[]): CallDiversion[] {
  const steps = entries.map((entry) => nameAddress(entry));
  return steps.slice(0, -1).map(({ uri, embedded }, index) => {
    const [, cause = ''] = /;cause=(\d{3})/i.exec(steps[index + 1]?.uri ?? '') ?? [];
    const isPrivate = /privacy=[^&]*history/i.test(embedded);
    return { uri: isPrivate ? anonymous : uri, reason: reasonOfCause[cause] ?? 'unknown' };
  });
}

/** Entries of one header, or of several that were joined; commas may stand in names and addresses, too. */
function listed(text = ''): string[] {
  const entries: string[] = [];
  let start = 0;
  let isQuoted = false;
  let isAddress = false;
  const bounded = text.slice(0, maxTextLength);
  for (let at = 0; at < bounded.length && entries.length < maxDiversions; at++) {
    const char = bounded[at];
    if (isQuoted && char === '\\') at++;
    else if (char === '"' && !isAddress) isQuoted = !isQuoted;
    else if (char === '<' && !isQuoted) isAddress = true;
    else if (char === '>' && !isQuoted) isAddress = false;
    else if (char === ',' && !isQuoted && !isAddress) {
      entries.push(bounded.slice(start, at));
      start = at + 1;
    }
  }
  if (entries.length < maxDiversions) entries.push(bounded.slice(start));
  return entries.map((entry) => entry.trim()).filter((entry) => entry !== '');
}

function nameAddress(entry: string): { uri: string; embedded: string; parameters: ReadonlyMap<string, string> } {
  const open = entry.lastIndexOf('<');
  const close = entry.indexOf('>', open);
  const hasBrackets = open >= 0 && close > open;
  const semicolon = entry.indexOf(';');
  const end = semicolon < 0 ? entry.length : semicolon;
  const [address, rest] = hasBrackets
    ? [entry.slice(open + 1, close), entry.slice(close + 1)]
    : [entry.slice(0, end), entry.slice(end)];
  const [uri = '', embedded = ''] = address.split('?', 2);
  const parameters = new Map(
    rest.split(';').map((parameter): [string, string] => {
      const [name = '', value = ''] = parameter.split('=', 2);
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')];
    }),
  );
  return { uri: uri.trim().slice(0, maxUriLength), embedded, parameters };
}
