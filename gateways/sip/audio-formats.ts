// Owns: the audio formats of an m-line: which of them we speak, by which number. Pure.
import type { DtmfFormat, LegCodec } from '#core/leg-media.ts';
import type { SdpMedia } from './sdp.ts';

/** What the formats of an m-line come to; each list is in the order of the m-line. */
export interface AudioFormats {
  readonly codecs: readonly { readonly codec: LegCodec; readonly payloadType: number }[];
  readonly dtmf: readonly DtmfFormat[];
  readonly comfortNoisePayloadType: number | undefined;
}

interface Mapping {
  readonly name: string;
  readonly clockRateHz: number;
}

/** RFC 3551 §6: numbers that need no rtpmap. */
const staticTypes: Readonly<Record<number, Mapping>> = {
  0: { name: 'pcmu', clockRateHz: 8_000 },
  8: { name: 'pcma', clockRateHz: 8_000 },
  9: { name: 'g722', clockRateHz: 8_000 },
  13: { name: 'cn', clockRateHz: 8_000 },
};

/** G722 is announced with 8000 although it samples 16000 (RFC 3551 §4.5.2). */
const clockRates: Readonly<Record<LegCodec, number>> = { opus: 48_000, g722: 8_000, pcmu: 8_000, pcma: 8_000 };

/** @param allowed codecs of ours; others in the m-line are passed over */
export function audioFormatsOf(media: SdpMedia, allowed: readonly LegCodec[]): AudioFormats {
  const mapped = new Map<number, Mapping>();
  for (const { name, value } of media.attributes) {
    const [, type, encoding = '', rate] = (name === 'rtpmap' && /^(\d{1,3}) +([^/\s]+)\/(\d+)/.exec(value)) || [];
    if (type !== undefined) mapped.set(Number(type), { name: encoding.toLowerCase(), clockRateHz: Number(rate) });
  }
  const codecs: { codec: LegCodec; payloadType: number }[] = [];
  const dtmf: DtmfFormat[] = [];
  let comfortNoisePayloadType: number | undefined;
  for (const format of media.formats) {
    const payloadType = Number(format);
    if (!/^\d{1,3}$/.test(format) || payloadType > 127) continue;
    const mapping = mapped.get(payloadType) ?? staticTypes[payloadType];
    if (!mapping) continue;
    const { name, clockRateHz } = mapping;
    const codec = allowed.find((each) => each === name && clockRates[each] === clockRateHz);
    if (codec && !codecs.some((known) => known.codec === codec)) codecs.push({ codec, payloadType });
    else if (name === 'telephone-event') dtmf.push({ payloadType, clockRateHz });
    else if (name === 'cn' && clockRateHz === 8_000) comfortNoisePayloadType ??= payloadType;
  }
  return { codecs, dtmf, comfortNoisePayloadType };
}

/** Digits at the clock of the audio, as RFC 4733 §2.1 asks; many offer 8000 alone beside Opus, and mean it. */
export function dtmfFor(codec: LegCodec, dtmf: readonly DtmfFormat[]): DtmfFormat | undefined {
  return dtmf.find(({ clockRateHz }) => clockRateHz === clockRates[codec]) ?? dtmf[0];
}

/** Only those that go with a codec that is used; all of them where none does. */
export function dtmfBeside({ codecs, dtmf }: Pick<AudioFormats, 'codecs' | 'dtmf'>): readonly DtmfFormat[] {
  const fitting = dtmf.filter(({ clockRateHz }) => codecs.some(({ codec }) => clockRates[codec] === clockRateHz));
  return fitting.length > 0 ? fitting : dtmf.slice(0, 1);
}

/** The attributes of these formats. */
export function formatLines({ codecs, dtmf, comfortNoisePayloadType }: AudioFormats): string[] {
  const names = { opus: 'opus/48000/2', g722: 'G722/8000', pcmu: 'PCMU/8000', pcma: 'PCMA/8000' };
  return [
    ...codecs.flatMap(({ codec, payloadType }) => [
      `a=rtpmap:${payloadType} ${names[codec]}`,
      ...(codec === 'opus' ? [`a=fmtp:${payloadType} useinbandfec=1`] : []),
    ]),
    ...dtmf.flatMap(({ payloadType, clockRateHz }) => [
      `a=rtpmap:${payloadType} telephone-event/${clockRateHz}`,
      `a=fmtp:${payloadType} 0-15`,
    ]),
    ...(comfortNoisePayloadType === undefined ? [] : [`a=rtpmap:${comfortNoisePayloadType} CN/8000`]),
  ];
}

export function formatNumbers({ codecs, dtmf, comfortNoisePayloadType }: AudioFormats): string {
  const numbers = [...codecs, ...dtmf].map(({ payloadType }) => payloadType);
  return [...numbers, ...(comfortNoisePayloadType === undefined ? [] : [comfortNoisePayloadType])].join(' ');
}
