// A program of its own: the FFmpeg 8.1 of the media workers pushes a clip by enhanced RTMP, which Debian's cannot, at its own
// pace and over and over. Arguments: URL, file, seconds that the clip lasts.
import { setTimeout as sleep } from 'node:timers/promises';
import { Demuxer, Muxer } from 'node-av';

const [url = '', file = '', lengthText = ''] = process.argv.slice(2);
const lengthS = Number(lengthText);

const output = await Muxer.open(url, { format: 'flv' });
const kinds = ['video', 'audio'] as const;
const first = await Demuxer.open(file);
const indexes = kinds.map((kind) => {
  const stream = first[kind]();
  if (!stream) throw new Error(`no ${kind} in ${file}`);
  // That of MP4.
  stream.codecpar.codecTag = 0;
  return output.addStream(stream);
});
const startMs = performance.now();
for (let turn = 0; ; turn++) {
  const input = turn === 0 ? first : await Demuxer.open(file);
  for await (const packet of input.packets()) {
    if (!packet) continue;
    const at = kinds.findIndex((kind) => input[kind]()?.index === packet.streamIndex);
    const { num, den } = packet.timeBase;
    const shift = BigInt(Math.round((turn * lengthS * den) / num));
    packet.pts += shift;
    packet.dts += shift;
    const dueMs = startMs + (Number(packet.dts) * num * 1_000) / den;
    if (dueMs > performance.now()) await sleep(dueMs - performance.now());
    await output.writePacket(packet, indexes[at] ?? 0);
  }
  await input.close();
}
