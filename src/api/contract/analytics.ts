// Owns: looking for things in the media of a room. May import: zod, core, ./pieces.

import { z } from 'zod';
import { detectorNames } from '#core/analysis-messages.ts';
import { mediaSource } from './media-source.ts';
import { count, itemId, page, pageQuery, roomParams, shortText, time } from './pieces.ts';

export const analysisParams = z.object({ room: roomParams.shape.room, analysis: itemId });

const name = shortText.meta({ description: 'For people who look at lists.' });
const source = mediaSource.meta({ description: 'What is looked at.', examples: [{ view: 'common' }] });
const duration = z.int().min(100).max(600_000);

const shapes = {
  black: z
    .strictObject({
      minDurationMs: duration.default(2_000),
      darkness: z.number().min(0).max(1).default(0.1).meta({ description: 'Of white: a pixel below it is dark.' }),
      share: z.number().min(0).max(1).default(0.98).meta({ description: 'Of all pixels that have to be dark.' }),
    })
    .meta({ description: 'The picture is black.' }),
  freeze: z
    .strictObject({
      minDurationMs: duration.default(2_000),
      noise: z.number().min(0).max(1).default(0.001).meta({ description: 'Less difference than that is none.' }),
    })
    .meta({ description: 'The picture stands still, also because none comes any more.' }),
  scene: z
    .strictObject({ threshold: z.number().min(1).max(100).default(10) })
    .meta({ description: 'The picture changes at once, by more than so many percent.' }),
  motion: z
    .strictObject({
      minDifference: z.number().min(0.1).max(255).default(3),
      quietMs: duration.default(2_000).meta({ description: 'It is over after so long without.' }),
    })
    .meta({ description: 'Brightness differs from picture to picture by so much, of 255, on average.' }),
  silence: z
    .strictObject({ minDurationMs: duration.default(2_000), levelDb: z.number().min(-120).max(0).default(-50) })
    .meta({ description: 'Nothing louder than that is heard, dB of full scale.' }),
  loudness: z
    .strictObject({
      minLufs: z.number().min(-69).max(0).optional(),
      maxLufs: z.number().min(-69).max(0).optional(),
    })
    .meta({ description: 'Short-term loudness (EBU R 128) is outside of these; without them it is only measured.' }),
};

const detectors = z
  .strictObject({
    black: shapes.black.optional(),
    freeze: shapes.freeze.optional(),
    scene: shapes.scene.optional(),
    motion: shapes.motion.optional(),
    silence: shapes.silence.optional(),
    loudness: shapes.loudness.optional(),
  })
  .meta({ description: 'What is looked for; `{}` of one takes what is usual.' });

const framerateHz = z.number().min(0.5).max(30).meta({ description: 'Pictures that are looked at in a second.' });

export const analysisInput = z
  .strictObject({
    name: name.default('Analysis'),
    source: source.default({ view: 'common' }),
    detectors: detectors.meta({ examples: [{ black: {}, silence: { minDurationMs: 5_000 } }] }),
    framerateHz: framerateHz.default(5),
  })
  .meta({ id: 'AnalysisInput' });

const values = z.record(z.string(), z.number());
const level = z.number().nullable();

export const analysisSchema = z
  .object({
    id: z.string(),
    roomId: z.string(),
    name,
    source,
    detectors,
    framerateHz,
    createdAt: time,
    state: z
      .enum(['waiting', 'starting', 'live', 'reconnecting', 'failed'])
      .meta({ description: '`waiting`: nobody is in the room. `failed`: it is tried again.' }),
    reason: z.string(),
    message: z.string(),
    since: time.meta({ description: 'In this state since.' }),
    findings: z
      .array(z.object({ detector: z.enum(detectorNames), since: time, values }))
      .readonly()
      .meta({ description: 'What is so now.' }),
    levels: z
      .object({ motion: level, momentaryLufs: level, shortTermLufs: level, integratedLufs: level, rangeLu: level })
      .meta({ description: 'Measured last, once a second; null for what is not looked for, and for silence.' }),
    jobId: z.string().nullable(),
    restarts: count.meta({ description: 'How often its media worker was lost.' }),
  })
  .meta({ id: 'Analysis' });

export const analysisQuery = pageQuery.extend({ state: analysisSchema.shape.state.optional() });
export const analysisList = page(analysisSchema).meta({ id: 'AnalysisList' });

export type AnalysisResource = z.output<typeof analysisSchema>;
export type AnalysisInput = z.input<typeof analysisInput>;
