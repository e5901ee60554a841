// Owns: text drawn by FFmpeg's drawtext, with shaping and both directions, once for each text.
import { AV_OPT_SEARCH_CHILDREN, AV_OPT_TYPE_STRING, AV_PIX_FMT_GRAY8 } from 'node-av/constants';
import { AvError, assertOk, av } from './library.ts';

export interface TextImage {
  readonly width: number;
  readonly height: number;
  /** How much of each pixel is text, 0..255, rows without gaps. */
  readonly coverage: Uint8Array;
}

export interface TextOptions {
  readonly text: string;
  readonly fontFile: string;
  readonly fontSize: number;
  /** What is longer is cut off. */
  readonly maxWidth: number;
}

/** @throws AvError when the font is none, or the build has no drawtext */
export function drawText({ text, fontFile, fontSize, maxWidth }: TextOptions): TextImage {
  const width = Math.max(16, Math.min(4_096, Math.ceil(maxWidth)));
  const height = Math.ceil(fontSize * 1.6);
  const graph = new av.FilterGraph();
  using frame = new av.Frame();
  using drawn = new av.Frame();
  try {
    graph.alloc();
    const format = `video_size=${width}x${height}:pix_fmt=${AV_PIX_FMT_GRAY8}:time_base=1/25:pixel_aspect=1/1`;
    const source = graph.createFilter(filter('buffer'), 'in', format);
    const draw = graph.allocFilter(filter('drawtext'), 'text');
    const sink = graph.createFilter(filter('buffersink'), 'out', null);
    if (!source || !draw || !sink) throw new AvError('text', 0, 'no filter could be made');
    // Names are anybody's text: they go in as an option of their own, never into a string that FFmpeg parses.
    const options = { text, fontfile: fontFile, fontsize: String(Math.round(fontSize)), ...drawOptions };
    for (const [name, value] of Object.entries(options)) {
      assertOk(draw.setOption(name, value, AV_OPT_TYPE_STRING, AV_OPT_SEARCH_CHILDREN), `text option ${name}`);
    }
    assertOk(draw.initStr(null), 'opening the font');
    assertOk(source.link(0, draw, 0), 'text');
    assertOk(draw.link(0, sink, 0), 'text');
    assertOk(graph.configSync(), 'text');
    blacken(frame, width, height);
    assertOk(source.buffersrcAddFrameSync(frame), 'drawing text');
    drawn.alloc();
    assertOk(sink.buffersinkGetFrameSync(drawn), 'drawing text');
    return trimmed(drawn, width, height);
  } finally {
    graph.free();
  }
}

/** The baseline where letters with marks above and below both have room. */
const drawOptions = { expansion: 'none', fontcolor: 'white', x: '1', y_align: 'baseline', y: 'h*0.7' } as const;

function filter(name: string): av.Filter {
  const found = av.Filter.getByName(name);
  if (!found) throw new AvError('text', 0, `this build has no filter ${name}`);
  return found;
}

function blacken(frame: av.Frame, width: number, height: number): void {
  frame.alloc();
  frame.width = width;
  frame.height = height;
  frame.format = AV_PIX_FMT_GRAY8;
  assertOk(frame.getBuffer(0), 'text');
  frame.data?.[0]?.fill(0);
  frame.pts = 0n;
}

/** Without what is empty on the right. */
function trimmed(frame: av.Frame, width: number, height: number): TextImage {
  const [plane] = frame.data ?? [];
  const [stride = 0] = frame.linesize;
  if (!plane) throw new AvError('text', 0, 'nothing was drawn');
  let used = 0;
  for (let y = 0; y < height; y++) {
    for (let x = width - 1; x >= used; x--) {
      if ((plane[y * stride + x] as number) < 16) continue;
      used = x + 1;
      break;
    }
  }
  const coverage = new Uint8Array(used * height);
  for (let y = 0; y < height; y++) coverage.set(plane.subarray(y * stride, y * stride + used), y * used);
  return { width: used, height, coverage };
}
