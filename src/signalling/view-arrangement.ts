// Owns: the shape in which a moderator's page asks for another look of a view. May import: zod, core; web/ imports this file.
import { z } from 'zod';
import { fitPolicies, layoutBases, maxRegions } from '#core/view-layout.ts';
import { autoMixRules, backgroundColorPattern } from '#core/view-settings.ts';

/** Of a publication or a participant. */
const id = z.string().min(1).max(64);

const rational = z.string().max(11);

const region = z.strictObject({
  id: z.string().min(1).max(64),
  shape: z.literal('rectangle').optional(),
  area: z.strictObject({ left: rational, top: rational, width: rational, height: rational }),
  fitPolicy: z.enum(fitPolicies).optional(),
});

/** Base64: about what one message may have; larger ones go by the API. */
const backgroundImage = z.base64().max(200_000);

export const viewArrangement = z.strictObject({
  layout: z.enum(layoutBases).optional(),
  gridSize: z.int().min(1).max(maxRegions).optional(),
  /** Templates of regions: `{region: [{id, area: {left: '1/3', …}}]}`. */
  custom: z
    .array(z.strictObject({ region: z.array(region).min(1).max(maxRegions) }))
    .max(64)
    .optional(),
  maxInputs: z.int().min(1).max(maxRegions).optional(),
  fitPolicy: z.enum(fitPolicies).optional(),
  autoMix: z.enum(autoMixRules).optional(),
  isVoicePrimary: z.boolean().optional(),
  hasLabels: z.boolean().optional(),
  hasSpeakerBorder: z.boolean().optional(),
  transitionMs: z.int().min(0).max(1_000).optional(),
  backgroundColor: z.string().regex(backgroundColorPattern, 'is #rrggbb').optional(),
  /** null: none any more. */
  backgroundImage: backgroundImage.nullable().optional(),
  primary: id.optional(),
  pinned: id.nullable().optional(),
  swap: z.tuple([id, id]).optional(),
  order: z.array(id).max(maxRegions).optional(),
  add: z.array(id).max(maxRegions).optional(),
  remove: z.array(id).max(maxRegions).optional(),
});
