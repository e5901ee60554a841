// Owns: what a registrar says in its answers, and a phone in its REGISTER. Pure.
import type { SipAnswer } from '../dialog.ts';

export interface ContactWords {
  readonly uri: string;
  readonly params: ReadonlyMap<string, string>;
}

const maxContacts = 32;
const maxRead = 8_192;

/** The whole number that a header is, or begins with; undefined for none. */
export function secondsIn(header: string | undefined): number | undefined {
  const [, digits] = /^\s*(\d{1,9})(?!\d)/.exec(header ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** @returns of the binding that is ours among all that the registrar tells of */
export function grantedSeconds({ header }: Pick<SipAnswer, 'header'>, contactUser: string): number | undefined {
  const ours = contactsIn(header('contact') ?? '').find(({ uri }) =>
    uri.toLowerCase().includes(`:${contactUser.toLowerCase()}@`),
  );
  return secondsIn(ours?.params.get('expires')) ?? secondsIn(header('expires'));
}

/**
 * All hops of a Path or Service-Route, in their order, as a request is to take them (RFC 3327 §5.3, RFC 3608 §5).
 * @returns the URI of one alone, a list of several; undefined for none
 */
export function routeOf(header: string | undefined): string | undefined {
  // Its own separator of the control protocol would end it there.
  const hops = contactsIn(header ?? '').flatMap(({ uri }) => (uri.includes('|') ? [] : [uri]));
  return hops.length > 1 ? hops.map((uri) => `<${uri}>`).join(', ') : hops[0];
}

/** Where a request that takes this route goes first. */
export function firstHopOf(route: string): string {
  return /^<([^>]*)>/.exec(route)?.[1] ?? route;
}

/** Of a Contact, Path or Route header; several are parted by commas outside of <> and quotes. */
export function contactsIn(header: string): ContactWords[] {
  return splitList(header.slice(0, maxRead))
    .slice(0, maxContacts)
    .flatMap((text) => {
      const [, bracketed, rest = ''] = /^[^<]*<([^>]+)>(.*)$/s.exec(text) ?? [];
      const [bare = '', ...parts] = text.split(';');
      const uri = bracketed ?? bare.trim();
      if (!/^(sips?|tel):\S+$/i.test(uri)) return [];
      const params = bracketed === undefined ? parts : rest.split(';').slice(1);
      return [{ uri, params: new Map(params.map(parameterOf)) }];
    });
}

function parameterOf(text: string): [string, string] {
  const at = text.indexOf('=');
  const name = (at < 0 ? text : text.slice(0, at)).trim().toLowerCase();
  return [
    name,
    at < 0
      ? ''
      : text
          .slice(at + 1)
          .trim()
          .replace(/^"(.*)"$/s, '$1'),
  ];
}

function splitList(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let isQuoted = false;
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"' && text[i - 1] !== '\\') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (character === '<') depth += 1;
    else if (character === '>') depth -= 1;
    else if (character === ',' && depth <= 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts.filter((part) => part !== '');
}
