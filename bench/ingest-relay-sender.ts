// Owns: the encoder of bench/ingest-relay.ts, in a process of its own: numbered pictures and a tone pushed by RTMP (AAC) or RTSP
// (Opus), and when each was. Arguments: URLs, seconds, transport of RTSP. Tells its parent a SentMedia when it is done.

import type { SourceStream } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { pushRtmp } from '#gateways/rtmp/index.ts';
import { pushRtsp } from '#gateways/rtsp/index.ts';
import { AacEncoder, aacFrameSamples } from '#media/av/aac-encoder.ts';
import { OpusEncoder } from '#media/av/audio-encoder.ts';
import { numberedPicture, tone } from '#media/av/test-signals.ts';
import { VideoEncoder } from '#media/av/video-encoder.ts';
import { h264NalType, splitAnnexB } from '#media/rtp/h264.ts';
import { packetiseH264 } from '#media/rtp/packetise.ts';
import { RtpSender } from '#media/rtp/sender.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';

/** Of the first stream. */
export interface SentMedia {
  /** By frame, from 0. */
  readonly sentUs: readonly number[];
  /** By where they end. */
  readonly sounds: readonly { readonly endUs: number; readonly sentUs: number }[];
}

const [urls = '', seconds = '10', transport = 'tcp'] = process.argv.slice(2);
const isRtsp = urls.startsWith('rtsp');
const framerateHz = 30;
const [width, height] = [640, 360];

interface Frame {
  readonly isKey: boolean;
  readonly data: Buffer;
  readonly nals: readonly Uint8Array[];
}

/** What is pushed to: one of RTMP or RTSP. */
interface Push {
  picture(frame: Frame, ptsUs: number): void;
  sound(data: Buffer, ptsUs: number): void;
}

/** All of it before it begins, so that encoding does not disturb what is measured. */
function encode(count: number): { config: Buffer; sets: Uint8Array[]; frames: Frame[] } {
  using encoder = new VideoEncoder({ codec: 'h264', width, height, framerateHz, bitrateBps: 1_500_000 });
  const frames: Frame[] = [];
  let config: Buffer = Buffer.alloc(0);
  let sets: Uint8Array[] = [];
  for (let n = 0; n < count; n++) {
    if (n % 60 === 0) encoder.requestKeyFrame();
    using picture = numberedPicture(width, height, n & 255);
    encoder.encode(picture, (n * 1e6) / framerateHz, ({ data, isKey }) => {
      const nals = splitAnnexB(data);
      const [sps, pps] = [7, 8].map((type) => nals.find((nal) => h264NalType(nal) === type));
      if (config.length === 0 && sps && pps) {
        config = avcConfig(sps, pps);
        sets = [sps, pps];
      }
      const slices = nals.filter((nal) => h264NalType(nal) < 7);
      frames.push({ isKey, nals, data: Buffer.concat(slices.flatMap((nal) => [uint32(nal.length), nal])) });
    });
  }
  return { config, sets, frames };
}

/** Packets of the tone, and where each begins and ends. */
function encodeSound(): { ptsUs: number; endUs: number; data: Buffer }[] {
  const [sampleRateHz, channels] = [48_000, 2];
  const samples = Number(seconds) * sampleRateHz;
  const pcm = tone({ frequencyHz: 440, sampleRateHz, channels, samples });
  const packets: { ptsUs: number; endUs: number; data: Buffer }[] = [];
  const note = (data: Buffer, ptsUs: number, durationUs: number) =>
    packets.push({ ptsUs: Math.max(0, ptsUs), endUs: Math.max(0, ptsUs + durationUs), data });
  if (isRtsp) {
    using opus = new OpusEncoder({ channels: 2, bitrateBps: 96_000 });
    opus.push(pcm, 0, (data, ptsUs) => note(data, ptsUs, 20_000));
  } else {
    using aac = new AacEncoder(128_000);
    const toUs = 1e6 / sampleRateHz;
    aac.push(pcm, (data, sample) => note(data, sample * toUs, aacFrameSamples * toUs));
  }
  return packets;
}

/** AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1. */
function avcConfig(sps: Uint8Array, pps: Uint8Array): Buffer {
  const head = [1, sps[1] ?? 0, sps[2] ?? 0, sps[3] ?? 0, 0xff, 0xe1];
  return Buffer.concat([Buffer.from(head), uint16(sps.length), sps, Buffer.of(1), uint16(pps.length), pps]);
}

const uint16 = (value: number) => Buffer.of(value >> 8, value & 255);
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const { config, sets, frames } = encode(Number(seconds) * framerateHz);
const sound = encodeSound();
const policy = new NetPolicy({ schemes: ['rtmp', 'rtsp'], allow: ['127.0.0.1'] });

async function openRtmp(url: string): Promise<Push> {
  const push = await pushRtmp({ url, policy });
  const framing = { kind: 'length_prefixed', lengthSize: 4 } as const;
  push.describe({ id: 0, kind: 'video', codec: 'h264', framing, config, width, height });
  const audio = { codec: 'aac', config: Buffer.of(0x11, 0x90), sampleRateHz: 48_000, channels: 2 } as const;
  push.describe({ id: 1, kind: 'audio', framing: { kind: 'bare' }, ...audio });
  return {
    picture: ({ data, isKey }, ptsUs) =>
      push.deliver({ kind: 'access_unit', streamId: 0, ptsUs, dtsUs: ptsUs, isKey, data }),
    sound: (data, ptsUs) => push.deliver({ kind: 'access_unit', streamId: 1, ptsUs, dtsUs: ptsUs, isKey: true, data }),
  };
}

/** As a camera does: with a sender report each second. */
async function openRtsp(url: string): Promise<Push> {
  const sprop = sets.map((set) => Buffer.from(set).toString('base64')).join(',');
  const formats = [
    {
      payloadType: 96,
      encodingName: 'H264',
      clockRateHz: 90_000,
      channels: 1,
      formatParameters: { 'packetization-mode': '1', 'sprop-parameter-sets': sprop },
    },
    { payloadType: 97, encodingName: 'opus', clockRateHz: 48_000, channels: 2, formatParameters: {} },
  ] as const;
  const streams: SourceStream[] = [
    { id: 0, kind: 'video', codec: 'h264', framing: { kind: 'rtp' }, rtp: formats[0] },
    { id: 1, kind: 'audio', codec: 'opus', framing: { kind: 'rtp' }, rtp: formats[1] },
  ];
  const push = await pushRtsp({ url, policy, streams, transport: transport === 'udp' ? 'udp' : 'tcp' });
  const senders = formats.map(
    ({ payloadType, clockRateHz }, streamId) =>
      new RtpSender({
        ...{ payloadType, clockRateHz, cname: 'bench' },
        position: { ssrc: 1_000 + streamId, sequenceNumber: 1, rtpTimestamp: 0, clockUs: 0 },
        send: (data) => push.deliver({ kind: 'rtp', streamId, data }),
      }),
  );
  setInterval(() => {
    for (const [streamId, sender] of senders.entries()) {
      const data = sender.report();
      if (data) push.deliver({ kind: 'rtcp', streamId, data });
    }
  }, 1_000);
  return {
    picture: ({ nals, isKey }, ptsUs) => senders[0]?.sendFrame(packetiseH264([...nals]), startUs + ptsUs, { isKey }),
    sound: (data, ptsUs) => senders[1]?.sendFrame([data], startUs + ptsUs, { marker: false }),
  };
}

const pushes = await Promise.all(urls.split(',').map(isRtsp ? openRtsp : openRtmp));
const sentUs: number[] = [];
const sounds: { endUs: number; sentUs: number }[] = [];
const startUs = clockNowUs();
const timer = setInterval(() => {
  const passedUs = () => clockNowUs() - startUs;
  while (sentUs.length < frames.length && passedUs() >= (sentUs.length * 1e6) / framerateHz) {
    const frame = frames[sentUs.length] as Frame;
    const ptsUs = Math.round((sentUs.length * 1e6) / framerateHz);
    sentUs.push(clockNowUs());
    for (const push of pushes) push.picture(frame, ptsUs);
  }
  // Sound is there when its last sample has been heard.
  for (let next = sound[sounds.length]; next && passedUs() >= next.endUs; next = sound[sounds.length]) {
    sounds.push({ endUs: next.endUs, sentUs: clockNowUs() });
    for (const push of pushes) push.sound(next.data, Math.round(next.ptsUs));
  }
  if (sentUs.length < frames.length) return;
  clearInterval(timer);
  process.send?.({ sentUs, sounds } satisfies SentMedia, () => process.exit());
}, 1);
