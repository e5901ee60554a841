// Owns: the shape in which a moderator's page asks for another look of a view. May import: zod, core; web/ imports this file.
import { z } from 'zod';
import { fitPolicies, layoutBases, maxRegions } from '#core/view-layout.ts';
import { autoMixRules } from '#core/view-settings.ts';

/** Of a publication or a participant. */
const id = z.string().min(1).max(64);

export const viewArrangement = z.strictObject({
  layout: z.enum(layoutBases).optional(),
  gridSize: z.int().min(1).max(maxRegions).optional(),
  fitPolicy: z.enum(fitPolicies).optional(),
  autoMix: z.enum(autoMixRules).optional(),
  isVoicePrimary: z.boolean().optional(),
  hasLabels: z.boolean().optional(),
  hasSpeakerBorder: z.boolean().optional(),
  transitionMs: z.int().min(0).max(1_000).optional(),
  backgroundColor: z
    .string()
    .regex(/^#[0-9a-fA-F]{6}$/)
    .optional(),
  primary: id.optional(),
  pinned: id.nullable().optional(),
  swap: z.tuple([id, id]).optional(),
  order: z.array(id).max(maxRegions).optional(),
  add: z.array(id).max(maxRegions).optional(),
  remove: z.array(id).max(maxRegions).optional(),
});
