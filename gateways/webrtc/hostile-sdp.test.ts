import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { roomCapabilities as room } from '#test/support/room-capabilities.ts';
import { readSdp, sdpFixtures } from '#test/support/sdp-fixtures.ts';
import { parseFragment } from './sdp-fragment.ts';
import { parseSdp } from './sdp-parse.ts';
import { receivingSection, rejectedSection, writeSdp } from './sdp-write.ts';
import { readLayout, readReceivedTrack, sends } from './translate.ts';

const fixtures = sdpFixtures.map(readSdp);

/** The whole way that an offer goes, without the SFU. */
function digest(text: string): void {
  const offer = parseSdp(text);
  readLayout(offer, room, 'leave');
  readLayout(offer, room, 'invent');
  const sections = offer.sections.map((section, index) => {
    try {
      return sends(section)
        ? receivingSection(
            readReceivedTrack(section, room, { originUser: offer.originUser, isTwoWay: index % 2 === 0 }),
          )
        : rejectedSection(section);
    } catch (thrown) {
      if (thrown instanceof GatewayError) return rejectedSection(section);
      throw thrown;
    }
  });
  const answer = writeSdp({
    sessionId: 1,
    version: 1,
    sections,
    transport: {
      iceParameters: { usernameFragment: 'a', password: 'b' },
      iceCandidates: [],
      dtlsParameters: { fingerprints: [offer.fingerprint] },
      setup: 'passive',
    },
  });
  expect(answer.startsWith('v=0\r\n')).toBe(true);
}

/** Refusals are GatewayErrors with words; everything else is a bug of ours. */
function survives(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (thrown) {
    return thrown instanceof GatewayError && thrown.message.length > 10 && thrown.code !== 'internal';
  }
}

const base = fc.constantFrom(...fixtures);

const lineEdit = fc.record({
  kind: fc.constantFrom('drop', 'double', 'swap', 'cut', 'fill', 'number', 'move' as const),
  at: fc.nat(400),
  to: fc.nat(400),
  text: fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom('__proto__', '-1', '99999999999', '0', ':', ' ', '%s%d', '\u0000'),
  ),
});

type Edit = typeof lineEdit extends fc.Arbitrary<infer T> ? T : never;

function mutate(text: string, edits: readonly Edit[]): string {
  const lines = text.split('\r\n');
  for (const { kind, at, to, text: piece } of edits) {
    const i = at % lines.length;
    const j = to % lines.length;
    const line = lines[i] ?? '';
    if (kind === 'drop') lines.splice(i, 1);
    if (kind === 'double') lines.splice(j, 0, line);
    if (kind === 'swap') [lines[i], lines[j]] = [lines[j] ?? '', line];
    if (kind === 'cut') lines[i] = line.slice(0, to % (line.length + 1));
    if (kind === 'fill') lines[i] = line.slice(0, to % (line.length + 1)) + piece + line.slice(to % (line.length + 1));
    if (kind === 'number') lines[i] = line.replace(/\d+/, piece);
    if (kind === 'move') lines.splice(j, 0, ...lines.splice(i, 3));
  }
  return lines.join('\r\n');
}

test('mutated SDPs of real peers are taken or refused with a reason, and never anything else', () => {
  fc.assert(
    fc.property(base, fc.array(lineEdit, { minLength: 1, maxLength: 12 }), (text, edits) =>
      survives(() => digest(mutate(text, edits))),
    ),
    { numRuns: 3_000 },
  );
}, 60_000);

test('mixtures of two peers are taken or refused with a reason', () => {
  fc.assert(
    fc.property(base, base, fc.nat(), fc.nat(), (a, b, i, j) =>
      survives(() => digest(a.slice(0, i % a.length) + b.slice(j % b.length))),
    ),
    { numRuns: 1_000 },
  );
}, 60_000);

test('any text at all is refused with a reason', () => {
  const any = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.string().map((text) => `v=0\r\nm=audio 9 ${text}`),
  );
  fc.assert(
    fc.property(any, (text) => survives(() => digest(text))),
    { numRuns: 1_000 },
  );
  fc.assert(
    fc.property(any, (text) => survives(() => void parseFragment(text))),
    { numRuns: 1_000 },
  );
}, 60_000);
