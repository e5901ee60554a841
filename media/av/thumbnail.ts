// Owns: one picture of a file as a small JPEG. Only in a process of its own: it blocks on the disk.
import {
  AV_PIX_FMT_YUVJ420P,
  AVCOL_RANGE_JPEG,
  AVMEDIA_TYPE_VIDEO,
  AVSEEK_FLAG_BACKWARD,
  SWS_FAST_BILINEAR,
} from 'node-av/constants';
import { assertOk, av, findEncoder, isDrained, openCodec } from './library.ts';
import { openInput } from './remuxer.ts';

const maxWidth = 640;
/** The first pictures of a room are often black. */
const shareOfFile = 0.1;
const maxPackets = 2_000;

/** @returns undefined when the file has no picture */
export function thumbnailOf(path: string, durationMs: number): Buffer | undefined {
  const input = openInput(path);
  if (!input) return undefined;
  try {
    const video = input.streams.find(({ codecpar }) => codecpar.codecType === AVMEDIA_TYPE_VIDEO);
    if (!video) return undefined;
    const { num, den } = video.timeBase;
    const at = BigInt(Math.round((durationMs * shareOfFile * den) / (1_000 * num)));
    input.seekFrameSync(video.index, at, AVSEEK_FLAG_BACKWARD); // from the start where it cannot
    return decodeFirst(input, video);
  } finally {
    input.closeInputSync();
  }
}

function decodeFirst(input: av.FormatContext, { index, codecpar }: av.Stream): Buffer | undefined {
  const codec = av.Codec.findDecoder(codecpar.codecId);
  if (!codec) return undefined;
  using context = new av.CodecContext();
  using packet = new av.Packet();
  using frame = new av.Frame();
  context.allocContext3(codec);
  assertOk(codecpar.toContext(context), 'reading what a stream is');
  context.threadCount = 1;
  openCodec(context, codec, {});
  packet.alloc();
  frame.alloc();
  for (let count = 0; count < maxPackets && input.readFrameSync(packet) >= 0; count++) {
    if (packet.streamIndex === index) context.sendPacketSync(packet);
    packet.unref();
    const code = context.receiveFrameSync(frame);
    if (code >= 0) return toJpeg(frame);
    if (!isDrained(code)) return undefined;
  }
  context.sendPacketSync(null);
  return context.receiveFrameSync(frame) >= 0 ? toJpeg(frame) : undefined;
}

function toJpeg(source: av.Frame): Buffer | undefined {
  const width = Math.min(maxWidth, source.width) & ~1;
  const height = Math.max(2, Math.round((source.height * width) / source.width) & ~1);
  const codec = findEncoder('mjpeg');
  if (!codec) return undefined;
  using scaled = new av.Frame();
  scaled.alloc();
  scaled.width = width;
  scaled.height = height;
  scaled.format = AV_PIX_FMT_YUVJ420P;
  assertOk(scaled.getBuffer(0), 'making a picture');
  const scaler = new av.SoftwareScaleContext();
  try {
    const { width: fromWidth, height: fromHeight, format } = source;
    scaler.getContext(
      ...([fromWidth, fromHeight, format as typeof AV_PIX_FMT_YUVJ420P] as const),
      ...([width, height, AV_PIX_FMT_YUVJ420P, SWS_FAST_BILINEAR] as const),
    );
    const { data, linesize } = source;
    assertOk(scaler.scaleSync(data ?? [], linesize, 0, fromHeight, scaled.data ?? [], scaled.linesize), 'scaling');
  } finally {
    scaler.freeContext();
  }
  return encode(scaled, codec);
}

function encode(frame: av.Frame, codec: av.Codec): Buffer | undefined {
  using context = new av.CodecContext();
  using packet = new av.Packet();
  context.allocContext3(codec);
  context.width = frame.width;
  context.height = frame.height;
  context.pixelFormat = AV_PIX_FMT_YUVJ420P;
  context.colorRange = AVCOL_RANGE_JPEG;
  context.timeBase = new av.Rational(1, 25);
  openCodec(context, codec, {});
  packet.alloc();
  frame.pts = 0n;
  assertOk(context.sendFrameSync(frame), 'encoding a thumbnail');
  if (context.receivePacketSync(packet) < 0) return undefined;
  const jpeg = Buffer.from(packet.data ?? []);
  return jpeg.length > 0 ? jpeg : undefined;
}
