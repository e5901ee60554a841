// Owns: the media rules of a room: what it takes, gives and makes. May import: zod, core, ./pieces.
import { z } from 'zod';
import {
  givenAudioCodecs,
  multiplierPattern,
  resolutionPattern,
  roomAudioCodecs,
  roomVideoCodecs,
} from '#core/room-media.ts';
import { viewCodecs } from '#core/view-messages.ts';
import { changes } from './pieces.ts';

const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .max(64)
    .refine((items) => new Set(items).size === items.length, 'names something twice')
    .readonly();

const codecsIn = { audio: list(z.enum(roomAudioCodecs)), video: list(z.enum(roomVideoCodecs)) };

const mediaIn = z
  .strictObject({
    audio: codecsIn.audio.default(roomAudioCodecs),
    video: codecsIn.video.default(roomVideoCodecs),
  })
  .meta({ id: 'MediaIn', description: 'Codecs that may be published from now on.' });

const resolution = z
  .string()
  .max(16)
  .regex(resolutionPattern, 'is neither a part (x3/4), a size (r640x360) nor a name (hd720p)')
  .meta({ examples: ['x3/4', 'r640x360', 'hd720p'] });
const bitrate = z
  .string()
  .max(8)
  .regex(multiplierPattern, 'is no part of the usual bitrate, as x0.8 is')
  .meta({ examples: ['x0.8'] });
const anything = (what: string) => ({ description: `${what}; absent: any, up to that of the source.` });

const codecsOut = { audio: list(z.enum(givenAudioCodecs)), video: list(z.enum(viewCodecs)) };
const parametersOut = {
  resolution: list(resolution),
  framerate: list(z.number().min(1).max(60)),
  bitrate: list(bitrate),
  keyFrameInterval: list(z.number().min(1).max(3_600)),
};

const mediaOut = z
  .strictObject({
    audio: codecsOut.audio
      .default(givenAudioCodecs)
      .meta({ description: 'What phones are sent, and what recordings, streams out and players get (aac, opus).' }),
    video: z
      .strictObject({
        format: codecsOut.video.default(viewCodecs),
        parameters: z
          .strictObject({
            resolution: parametersOut.resolution.optional().meta(anything('Sizes, as parts or pixels')),
            framerate: parametersOut.framerate.optional().meta(anything('Pictures per second')),
            bitrate: parametersOut.bitrate.optional().meta(anything('Parts of the usual bitrate')),
            keyFrameInterval: parametersOut.keyFrameInterval.optional().meta(anything('Seconds')),
          })
          .default({}),
      })
      .prefault({}),
  })
  .meta({ id: 'MediaOut', description: 'In what the room may be had.' });

const transcoding = z
  .strictObject({
    audio: z.boolean().default(true).meta({ description: 'false: sound leaves as Opus, as it came, or not at all.' }),
    video: z
      .strictObject({
        format: z.boolean().default(true),
        parameters: z
          .strictObject({
            resolution: z.boolean().default(true),
            framerate: z.boolean().default(true),
            bitrate: z.boolean().default(true),
            keyFrameInterval: z.boolean().default(true),
          })
          .prefault({}),
      })
      .prefault({}),
  })
  .meta({ id: 'Transcoding', description: 'What a receiver may ask to be another than the source has.' });

const selectActiveAudio = z
  .boolean()
  .meta({ description: 'Receivers get the three microphones that are loudest instead of all.' });

export const roomMediaShape = { mediaIn, mediaOut, transcoding, selectActiveAudio };

const flag = z.boolean();

/** As merge patches of the above. */
export const roomMediaPatch = {
  mediaIn: changes(codecsIn).meta({ id: 'MediaInPatch' }),
  mediaOut: changes({
    audio: codecsOut.audio,
    video: changes({ format: codecsOut.video, parameters: changes(parametersOut) }),
  }).meta({ id: 'MediaOutPatch' }),
  transcoding: changes({
    audio: flag,
    video: changes({
      format: flag,
      parameters: changes({ resolution: flag, framerate: flag, bitrate: flag, keyFrameInterval: flag }),
    }),
  }).meta({ id: 'TranscodingPatch' }),
};
