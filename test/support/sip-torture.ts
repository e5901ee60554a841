// Owns: the torture messages of RFC 4475 and RFC 5118 as the archives in their appendices hold them, and what becomes of
// each at a server.
import { readFileSync } from 'node:fs';

/** `accept`: goes to the application; a number: refused with it; `drop`: a response or noise that nobody hears of. */
export type TortureOutcome = 'accept' | 'drop' | number;

export interface TortureMessage {
  /** File name that the RFC gives it. */
  readonly name: string;
  readonly section: string;
  readonly expected: TortureOutcome;
  readonly bytes: Buffer;
}

/** Section, name and outcome in §3 of RFC 4475, in its order. */
const inRfc4475: readonly (readonly [section: string, name: string, expected: TortureOutcome])[] = [
  ['3.1.1.1', 'wsinv', 'accept'],
  ['3.1.1.2', 'intmeth', 'accept'],
  ['3.1.1.3', 'esc01', 'accept'],
  ['3.1.1.4', 'escnull', 'accept'],
  ['3.1.1.5', 'esc02', 'accept'],
  ['3.1.1.6', 'lwsdisp', 'accept'],
  ['3.1.1.7', 'longreq', 'accept'],
  ['3.1.1.8', 'dblreq', 'accept'],
  ['3.1.1.9', 'semiuri', 'accept'],
  ['3.1.1.10', 'transports', 'accept'],
  ['3.1.1.11', 'mpart01', 'accept'],
  ['3.1.1.12', 'unreason', 'accept'],
  ['3.1.1.13', 'noreason', 'accept'],
  ['3.1.2.1', 'badinv01', 400],
  ['3.1.2.2', 'clerr', 400],
  ['3.1.2.3', 'ncl', 400],
  ['3.1.2.4', 'scalar02', 400],
  ['3.1.2.5', 'scalarlg', 'drop'],
  ['3.1.2.6', 'quotbal', 400],
  ['3.1.2.7', 'ltgtruri', 400],
  ['3.1.2.8', 'lwsruri', 400],
  ['3.1.2.9', 'lwsstart', 400],
  ['3.1.2.10', 'trws', 400],
  ['3.1.2.11', 'escruri', 400],
  ['3.1.2.12', 'baddate', 400],
  ['3.1.2.13', 'regbadct', 400],
  ['3.1.2.14', 'badaspec', 400],
  ['3.1.2.15', 'baddn', 400],
  ['3.1.2.16', 'badvers', 505],
  ['3.1.2.17', 'mismatch01', 400],
  ['3.1.2.18', 'mismatch02', 400],
  ['3.1.2.19', 'bigcode', 'drop'],
  ['3.2.1', 'badbranch', 'accept'],
  ['3.3.1', 'insuf', 400],
  ['3.3.2', 'unkscm', 416],
  ['3.3.3', 'novelsc', 416],
  ['3.3.4', 'unksm2', 'accept'],
  ['3.3.5', 'bext01', 420],
  ['3.3.6', 'invut', 'accept'],
  ['3.3.7', 'regaut01', 'accept'],
  ['3.3.8', 'multi01', 400],
  ['3.3.9', 'mcl01', 400],
  ['3.3.10', 'bcast', 'drop'],
  ['3.3.11', 'zeromf', 'accept'],
  ['3.3.12', 'cparam01', 'accept'],
  ['3.3.13', 'cparam02', 'accept'],
  ['3.3.14', 'regescrt', 'accept'],
  ['3.3.15', 'sdp01', 'accept'],
  ['3.4.1', 'inv2543', 'accept'],
];

/** In §4 of RFC 5118: all but one are to be understood. */
const inRfc5118: typeof inRfc4475 = [
  ['4.1', 'ipv6-good', 'accept'],
  ['4.2', 'ipv6-bad', 400],
  ['4.3', 'port-ambiguous', 'accept'],
  ['4.4', 'port-unambiguous', 'accept'],
  ['4.5', 'via-received-param-with-delim', 'accept'],
  ['4.5', 'via-received-param-no-delim', 'accept'],
  ['4.6', 'ipv6-in-sdp', 'accept'],
  ['4.7', 'mult-ip-in-header', 'accept'],
  ['4.8', 'mult-ip-in-sdp', 'accept'],
  ['4.9', 'ipv4-mapped-ipv6', 'accept'],
  ['4.10', 'ipv6-bug-abnf-3-colons', 'accept'],
  ['4.10', 'ipv6-correct-abnf-2-colons', 'accept'],
];

const fileOf = (rfc: string, name: string): Buffer =>
  readFileSync(new URL(`../fixtures/sip/${rfc}/${name}.dat`, import.meta.url));

export const rfc4475: readonly TortureMessage[] = inRfc4475.map(([section, name, expected]) => ({
  ...{ section, name, expected },
  bytes: fileOf('rfc4475', name),
}));

/**
 * The archive of RFC 5118 ends lines with LF alone, two of its messages lack their empty line, and one body is shorter
 * than its Content-Length, which the others count with LF: that is made good here, and nothing else.
 */
export const rfc5118: readonly TortureMessage[] = inRfc5118.map(([section, name, expected]) => {
  const text = fileOf('rfc5118', name).toString('latin1').replaceAll('\n', '\r\n');
  const end = text.indexOf('\r\n\r\n');
  const head = end < 0 ? text : text.slice(0, end + 2);
  const body = end < 0 ? '' : text.slice(end + 4);
  const counted = head.replace(/(Content-Length: *)[1-9]\d*/, `$1${body.length}`);
  return { section, name, expected, bytes: Buffer.from(`${counted}\r\n${body}`, 'latin1') };
});
