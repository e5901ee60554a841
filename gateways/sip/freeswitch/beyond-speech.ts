// Owns: what is said to a phone whose media FreeSWITCH has: FreeSWITCH's descriptions, with our direction and our o= line.
// Pure but for a random session id.
import { GatewayError } from '#core/errors.ts';
import type { LegDirection, LegParameters } from '#core/leg-media.ts';
import { agreedDirection } from '../media-direction.ts';
import type { Answered, CallSpeech } from '../offer-answer.ts';
import { parseSdp, type SdpMedia } from '../sdp.ts';

/** What a payload type is where no a=rtpmap says it (RFC 3551 §6). */
const staticNames: Readonly<Record<string, string>> = {
  0: 'pcmu',
  3: 'gsm',
  4: 'g723',
  8: 'pcma',
  9: 'g722',
  15: 'g728',
  18: 'g729',
};

export interface BeyondSpeechOptions {
  /** FreeSWITCH's first description of its side to the phone; the answer to `offer`, where there was one. */
  readonly sdp: string;
  readonly offer: string;
  /** Of the leg between FreeSWITCH and us. */
  readonly leg: LegParameters;
  readonly sessionId?: string;
}

export class BeyondSpeech implements CallSpeech {
  readonly peer = undefined;
  readonly #leg: LegParameters;
  readonly #sessionId: string;
  #version = 0;
  #lastBody: string | undefined;
  #wanted: LegDirection = 'sendrecv';
  /** FreeSWITCH's, last. */
  #sdp: string;
  /** The offer that it answers. */
  #offer: string;
  /** The phone's, last. */
  #phone: string;
  #codec: string | undefined;

  constructor({ sdp, offer, leg, sessionId = String(Math.floor(Math.random() * 2 ** 48)) }: BeyondSpeechOptions) {
    this.#sdp = sdp;
    this.#offer = offer;
    this.#phone = offer;
    this.#leg = leg;
    this.#sessionId = sessionId;
    if (offer !== '') this.#codec = codecOf(audioOf(sdp));
  }

  /** That FreeSWITCH and the phone speak: `g729`, `amr-wb`; undefined before it is known. */
  get codec(): string | undefined {
    return this.#codec;
  }

  /** As the phone described itself last, or '' before it has. */
  get phone(): string {
    return this.#phone;
  }

  /** What FreeSWITCH said to an offer of the phone's, before `answer()` is asked for it. */
  expect(offer: string, sdp: string): void {
    this.#codec = codecOf(audioOf(sdp));
    this.#offer = offer;
    this.#sdp = sdp;
  }

  /** FreeSWITCH's, since the phone answered. */
  follow(sdp: string): void {
    this.#sdp = sdp;
  }

  want(direction: LegDirection): void {
    this.#wanted = direction;
  }

  /** That is FreeSWITCH's to say. */
  check(): void {
    // Asked by `expect()`.
  }

  /** What FreeSWITCH said stands. */
  withdraw(): void {
    // Nothing of an offer is kept before it is answered.
  }

  answer(offer: string): Answered {
    if (offer !== this.#offer)
      throw new GatewayError('internal', 'FreeSWITCH was not asked for an answer to this offer.');
    const direction = agreedDirection(audioOf(offer), this.#wanted);
    this.#phone = offer;
    return { sdp: this.#write(direction), parameters: { ...this.#leg, direction } };
  }

  offer(): string {
    return this.#write(this.#wanted);
  }

  accept(answer: string): LegParameters {
    const audio = audioOf(answer);
    this.#codec = codecOf(audio);
    this.#phone = answer;
    return { ...this.#leg, direction: agreedDirection(audio, this.#wanted) };
  }

  #write(direction: LegDirection): string {
    const lines = withDirection(this.#sdp, direction);
    const { address = '127.0.0.1' } = audioOf(this.#sdp);
    const body = [...lines, ''].join('\r\n');
    if (this.#lastBody !== body) this.#version += 1;
    this.#lastBody = body;
    const family = address.includes(':') ? 'IP6' : 'IP4';
    return `v=0\r\no=- ${this.#sessionId} ${this.#version} IN ${family} ${address}\r\ns=-\r\n${body}`;
  }
}

/** The media of a description, whichever way it goes: what FreeSWITCH has to be told when it changes. */
export function mediaOf(sdp: string): string {
  if (sdp === '') return '';
  const { kind, port, protocol, formats, address, attributes } = audioOf(sdp);
  const maps = attributes.filter(({ name }) => name === 'rtpmap' || name === 'fmtp' || name === 'ptime');
  const texts = maps.map(({ name, value }) => `${name}:${value}`).sort();
  return JSON.stringify([kind, port, protocol, formats, address, texts]);
}

/** Whether it wants its media encrypted, which drachtio-fsmrf cannot be given as an offer. @throws GatewayError `invalid_sdp` */
export function isEncryptedOffer(sdp: string): boolean {
  return parseSdp(sdp).media.some(({ kind, protocol }) => kind === 'audio' && /SAVP/i.test(protocol));
}

/** @throws GatewayError `invalid_sdp`, `no_common_codec` */
function audioOf(sdp: string): SdpMedia {
  const audio = parseSdp(sdp).media.find(({ kind, port }) => kind === 'audio' && port !== 0);
  if (!audio) throw new GatewayError('no_common_codec', 'The other side takes no audio.');
  return audio;
}

function codecOf({ formats, attributes }: SdpMedia): string | undefined {
  const names = formats.map((format) => {
    const map = attributes.find(({ name, value }) => name === 'rtpmap' && value.startsWith(`${format} `));
    return map?.value.split(/[ /]/)[1]?.toLowerCase() ?? staticNames[format];
  });
  return names.find((name) => name !== undefined && name !== 'telephone-event' && name !== 'cn');
}

/** Without v=, o= and s=, and with one direction for the audio that is spoken. */
function withDirection(sdp: string, direction: LegDirection): string[] {
  const isDirection = (line: string) => /^a=(?:sendrecv|sendonly|recvonly|inactive)\s*$/.test(line);
  const lines = sdp.split(/\r\n|\r|\n/).filter((line) => line !== '' && !/^[vos]=/.test(line) && !isDirection(line));
  const audioAt = lines.findIndex((line) => /^m=audio (?!0[ /])/.test(line));
  const nextAt = lines.findIndex((line, i) => i > audioAt && line.startsWith('m='));
  lines.splice(nextAt < 0 ? lines.length : nextAt, 0, `a=${direction}`);
  return lines;
}
