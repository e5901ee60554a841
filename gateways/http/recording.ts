// Owns: playing what has an end, once or over and over. May import: core, its neighbours.
import { GatewayError } from '#core/errors.ts';
import type { SourceSink } from '#core/media-source.ts';
import type { Stage } from './pulled-media.ts';
import { SpliceClock, SplicedSink } from './splice-clock.ts';

/**
 * @param readOnce reads all of it from its beginning, no faster than the pacer has room
 * @throws GatewayError `unsupported_media_type` for a recording without media
 */
export async function playLooped(
  stage: Stage,
  isLooped: boolean,
  readOnce: (sink: SourceSink) => Promise<void>,
): Promise<void> {
  const clock = new SpliceClock();
  for (let round = 0; !stage.signal.aborted; round++) {
    let units = 0;
    const counting: SourceSink = {
      describe: (stream) => stage.paced.describe(stream),
      deliver: (unit) => {
        units += 1;
        stage.paced.deliver(unit);
      },
    };
    await readOnce(new SplicedSink(counting, clock, String(round)));
    if (stage.signal.aborted) return;
    if (units === 0) throw new GatewayError('unsupported_media_type', 'It holds no audio or video that can be read.');
    // The next round is read while the end of this one is played.
    if (isLooped) await stage.paced.room(1_000_000);
    else return stage.paced.drained();
  }
}
