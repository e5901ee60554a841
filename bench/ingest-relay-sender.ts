// Owns: the encoder of bench/ingest-relay.ts, in a process of its own: numbered pictures pushed by RTMP, and when each was.
// Arguments: URL, streams, seconds. Tells its parent `{sentUs}` when it is done: by frame, of the first stream.
import { NetPolicy } from '#core/net-policy.ts';
import { pushRtmp } from '#gateways/rtmp/index.ts';
import { numberedPicture } from '#media/av/test-signals.ts';
import { VideoEncoder } from '#media/av/video-encoder.ts';
import { h264NalType, splitAnnexB } from '#media/rtp/h264.ts';
import { clockNowUs } from '#media/rtp/sequence.ts';

const [urls = '', seconds = '10'] = process.argv.slice(2);
const framerateHz = 30;
const [width, height] = [640, 360];

interface Frame {
  readonly isKey: boolean;
  readonly data: Buffer;
}

/** All of it before it begins, so that encoding does not disturb what is measured. */
function encode(count: number): { config: Buffer; frames: Frame[] } {
  using encoder = new VideoEncoder({ codec: 'h264', width, height, framerateHz, bitrateBps: 1_500_000 });
  const frames: Frame[] = [];
  let config: Buffer = Buffer.alloc(0);
  for (let n = 0; n < count; n++) {
    if (n % 60 === 0) encoder.requestKeyFrame();
    using picture = numberedPicture(width, height, n & 255);
    encoder.encode(picture, (n * 1e6) / framerateHz, ({ data, isKey }) => {
      const nals = splitAnnexB(data);
      const [sps, pps] = [7, 8].map((type) => nals.find((nal) => h264NalType(nal) === type));
      if (config.length === 0 && sps && pps) config = avcConfig(sps, pps);
      const slices = nals.filter((nal) => h264NalType(nal) < 7);
      frames.push({ isKey, data: Buffer.concat(slices.flatMap((nal) => [uint32(nal.length), nal])) });
    });
  }
  return { config, frames };
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

const { config, frames } = encode(Number(seconds) * framerateHz);
const policy = new NetPolicy({ schemes: ['rtmp'], allow: ['127.0.0.1'] });
const pushes = await Promise.all(urls.split(',').map((url) => pushRtmp({ url, policy })));
const framing = { kind: 'length_prefixed', lengthSize: 4 } as const;
for (const push of pushes) push.describe({ id: 0, kind: 'video', codec: 'h264', framing, config, width, height });

const sentUs: number[] = [];
const startUs = clockNowUs();
const timer = setInterval(() => {
  while (sentUs.length < frames.length && clockNowUs() - startUs >= (sentUs.length * 1e6) / framerateHz) {
    const frame = frames[sentUs.length] as Frame;
    const ptsUs = Math.round((sentUs.length * 1e6) / framerateHz);
    sentUs.push(clockNowUs());
    for (const push of pushes) push.deliver({ kind: 'access_unit', streamId: 0, ptsUs, dtsUs: ptsUs, ...frame });
  }
  if (sentUs.length < frames.length) return;
  clearInterval(timer);
  process.send?.({ sentUs }, () => process.exit());
}, 1);
