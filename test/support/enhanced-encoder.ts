// A program of its own: the FFmpeg 8.1 of the media workers as an encoder that pushes enhanced RTMP, which Debian's cannot.
// Arguments: URL, video encoder, audio encoder. Ends when its connection does.
import { Decoder, Demuxer, Encoder, type FFEncoderCodec, Muxer } from 'node-av';
import { picture, sound } from './test-picture.ts';

const [url = '', videoCodec = 'libx265', audioCodec = 'aac'] = process.argv.slice(2);

/** No pictures held back: lookahead would be seconds of silence to the server. */
const videoOptions: Record<string, Record<string, string | number>> = {
  libx265: { preset: 'ultrafast', tune: 'zerolatency', 'x265-params': 'log-level=none:keyint=60:bframes=0' },
  libsvtav1: { preset: 12, 'svtav1-params': 'pred-struct=1:rc=2:lookahead=0' },
};

/** Small, and of AV1 every other picture only, so that one core among several that are busy is enough. */
const pictures = `${picture},scale=320:180,${videoCodec === 'libsvtav1' ? 'framestep=2,' : ''}format=yuv420p,realtime`;

const output = await Muxer.open(url, { format: 'flv' });
const encode = async (input: string, codec: string, options: object) => {
  const source = await Demuxer.open(input, { format: 'lavfi' });
  const stream = source.streams[0];
  if (!stream) throw new Error(`nothing in ${input}`);
  const decoder = await Decoder.create(stream);
  const encoder = await Encoder.create(codec as FFEncoderCodec, { decoder, ...options });
  return { source, decoder, encoder, index: output.addStream(encoder) };
};
const video = await encode(pictures, videoCodec, {
  ...{ bitrate: '1.5M', context: { gopSize: 60, maxBFrames: 0 }, options: videoOptions[videoCodec] ?? {} },
});
// Of Opus, which has no other rate, the encoder's own resampling leaves time stamps that are 48/44.1 of what they should be.
const audio = await encode(`${sound},aformat=channel_layouts=stereo:sample_rates=48000,arealtime`, audioCodec, {
  ...{ bitrate: '128k', autoResample: true },
});
const pump = async ({ source, decoder, encoder, index }: Awaited<ReturnType<typeof encode>>) => {
  for await (const packet of encoder.packets(decoder.frames(source.packets()))) {
    if (packet) await output.writePacket(packet, index);
  }
};
await Promise.all([pump(video), pump(audio)]);
await output.close();
