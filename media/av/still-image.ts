// Owns: a PNG or JPEG file as a picture.
import { AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUVJ420P, type AVPixelFormat, SWS_FAST_BILINEAR } from 'node-av/constants';
import { AvError, av, findDecoder, openCodec } from './library.ts';
import { isPictureSide, Picture } from './picture.ts';

const pngStart = Buffer.from([0x89, 0x50, 0x4e, 0x47]);
const jpegStart = Buffer.from([0xff, 0xd8, 0xff]);
/** More than any view shows. A small file can ask for gigabytes, also behind a first header that asks for little. */
const maxPixels = 4_096 * 4_096;

/** Each takes a thread for up to a second, and a hundred megabytes: one after the other. */
let last: Promise<unknown> = Promise.resolve();

/** @returns undefined for what is neither, by its first bytes */
function imageKind(data: Uint8Array): 'png' | 'mjpeg' | undefined {
  const starts = (bytes: Buffer) => bytes.equals(data.subarray(0, bytes.length));
  if (starts(pngStart)) return 'png';
  return starts(jpegStart) ? 'mjpeg' : undefined;
}

/**
 * On a thread beside this one: whoever is to be served meanwhile does not wait.
 * @param use gets the picture, I420 (JPEG's in full range), lent for the length of the call
 * @param isWanted asked before it is begun, and before it is used
 * @returns false when it is no image that can be read, a huge one, or not wanted any more
 */
export function decodeImage(
  data: Uint8Array,
  use: (picture: Picture) => void,
  isWanted: () => boolean = () => true,
): Promise<boolean> {
  const turn = last.then(async () => isWanted() && (await decode(data, use, isWanted).catch(asUnreadable)));
  // Its own caller hears of it; the next one's image is another.
  last = turn.catch(() => undefined);
  return turn;
}

/** What FFmpeg does not take is no image to be shown; everything else is a fault of ours. */
function asUnreadable(error: unknown): false {
  if (error instanceof AvError) return false;
  throw error;
}

async function decode(data: Uint8Array, use: (picture: Picture) => void, isWanted: () => boolean): Promise<boolean> {
  const kind = imageKind(data);
  if (!kind) return false;
  const codec = findDecoder(kind);
  using context = new av.CodecContext();
  using packet = new av.Packet();
  using frame = new av.Frame();
  context.allocContext3(codec);
  context.threadCount = 1;
  openCodec(context, codec, { max_pixels: String(maxPixels) });
  packet.alloc();
  frame.alloc();
  packet.data = Buffer.from(data);
  // Each is waited for: nothing here is freed or used while its thread works with it.
  if ((await context.sendPacket(packet)) < 0) return false;
  let code = await context.receiveFrame(frame);
  if (code < 0) {
    // A decoder with a delay of one gives it when told that nothing follows.
    await context.sendPacket(null);
    code = await context.receiveFrame(frame);
  }
  if (code < 0 || !isPictureSide(frame.width) || !isPictureSide(frame.height)) return false;
  const isPlain = frame.format === AV_PIX_FMT_YUV420P || frame.format === AV_PIX_FMT_YUVJ420P;
  // Waited for here: the frame is freed with the end of this.
  if (!isPlain) return await convert(frame, use, isWanted);
  if (!isWanted()) return false;
  Picture.lend(frame, use);
  return true;
}

/**
 * As a frame and not by its planes: the palette of a PNG with few colours lies behind a plane that no Buffer shows, and swscale
 * reads it from wherever.
 */
async function convert(frame: av.Frame, use: (picture: Picture) => void, isWanted: () => boolean): Promise<boolean> {
  const { width, height } = frame;
  const format = frame.format as AVPixelFormat;
  using plain = Picture.blank(width, height);
  using context = new av.SoftwareScaleContext();
  context.getContext(width, height, format, width, height, AV_PIX_FMT_YUV420P, SWS_FAST_BILINEAR);
  if ((await context.scaleFrame(plain.native, frame)) < 0 || !isWanted()) return false;
  use(plain);
  return true;
}
