// Owns: a phone call in words and figures. Pure.
import type { SipCallResource } from '#api/contract.ts';
import { durationText } from './figures.ts';

const stateWords: Readonly<Record<SipCallResource['state'], string>> = {
  dialing: 'Dialling',
  ringing: 'Ringing',
  asking: 'Asked for the PIN',
  waiting: 'Waits to be let in',
  parked: 'Parked',
  connected: 'In the room',
  ended: 'Ended',
};

const codecNames: Readonly<Record<string, string>> = {
  opus: 'Opus',
  g722: 'G.722',
  pcmu: 'G.711 µ',
  pcma: 'G.711 A',
  // Through FreeSWITCH.
  g729: 'G.729',
  amr: 'AMR',
  'amr-wb': 'AMR-WB',
  ilbc: 'iLBC',
  l16: 'L16',
};

type End = NonNullable<SipCallResource['end']>;

/** Who has to act, where a call failed. */
export const blameWords: Readonly<Record<NonNullable<End['blame']>, string>> = {
  client: 'the caller',
  upstream: 'the other side',
  server: 'this server',
};

export const enderWords: Readonly<Record<End['by'], string>> = {
  us: 'this server',
  peer: 'the other side',
  server: 'the SIP server',
};

/** The number or name that a SIP address is about. */
export function partyOf(address: string): string {
  const [, user] = /^(?:sips?:|tel:)([^@;]+)/i.exec(address) ?? [];
  return user ?? address;
}

export function stateText(call: SipCallResource): string {
  const { state, end, roomId, isHeld, isHeldByPeer, isMuted, isRecorded } = call;
  if (state === 'ended') return end ? end.message : stateWords.ended;
  // A PIN is that of a room, which a menu has yet to find.
  if (state === 'asking' && roomId === null) return 'In a menu';
  const more = [isHeld && 'on hold', isHeldByPeer && 'holds us', isMuted && 'muted', isRecorded && 'recorded'].filter(
    Boolean,
  );
  return [stateWords[state], ...more].join(', ');
}

/** Of itself; nothing where it neither is, was, nor was to be. */
export function recordedText({ isRecorded, recordings, recordingProblem, roomName }: SipCallResource): string | null {
  if (recordingProblem !== null) return `It was to be, and is not: ${recordingProblem}`;
  if (recordings.length === 0) return null;
  const where = roomName === null ? '' : `, among those of ${roomName}`;
  return `${isRecorded ? 'now' : 'it was'}: ${recordings.join(', ')}${where}`;
}

/** Its way through one: `main: 1 → menu number; number: 4711 → room 4711`. */
export function menuText({ menu }: SipCallResource): string {
  return menu.map(({ node, pressed, led }) => `${node}: ${pressed ?? 'nothing'} → ${led}`).join('; ');
}

/** Of the call from its answer; of one that was never answered, nothing. */
export function lengthText({ answeredAt, endedAt }: SipCallResource, nowMs: number): string {
  if (answeredAt === null) return '–';
  return durationText((endedAt === null ? nowMs : Date.parse(endedAt)) - Date.parse(answeredAt));
}

export function codecText({ codec, isEncrypted }: SipCallResource): string {
  if (codec === null) return '–';
  const name = codecNames[codec] ?? codec;
  return isEncrypted ? `${name}, encrypted` : name;
}

/** 4.3 and so on; words of it for those who do not know the scale (ITU-T G.107 annex B). */
export function qualityText({ quality }: SipCallResource): string {
  const score = quality?.meanOpinionScore;
  if (score === null || score === undefined) return '–';
  const word = score >= 4 ? 'good' : score >= 3.6 ? 'fair' : score >= 3.1 ? 'poor' : 'bad';
  return `${score.toFixed(1)} ${word}`;
}

export function lossText({ quality }: SipCallResource): string {
  if (!quality) return '–';
  const share = (lost: number, rest: number) => (lost + rest === 0 ? 0 : (Math.max(0, lost) / (lost + rest)) * 100);
  const inbound = share(quality.packetsLost, quality.packetsReceived);
  const outbound = share(quality.remotePacketsLost, quality.packetsSent);
  return `${inbound.toFixed(1)} / ${outbound.toFixed(1)} %`;
}
