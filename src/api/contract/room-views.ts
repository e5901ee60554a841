// Owns: the views of a room: what is composed of it, and how it looks. May import: zod, core, ./pieces.

import { z } from 'zod';
import { fitPolicies, layoutBases, maxRegions } from '#core/view-layout.ts';
import { viewCodecs } from '#core/view-messages.ts';
import { autoMixRules } from '#core/view-settings.ts';
import { count, itemId, roomParams } from './pieces.ts';

export const viewParams = z.object({
  room: roomParams.shape.room,
  view: z
    .string()
    .min(1)
    .max(64)
    .meta({ description: 'Name of the view.', examples: ['common'] }),
});

const rational = z
  .string()
  .max(11)
  .meta({ description: 'A rational number from 0 to 1.', examples: ['1/3', '0', '0.25'] });

const region = z.strictObject({
  id: z.string().min(1).max(64),
  shape: z.literal('rectangle').default('rectangle'),
  area: z.strictObject({ left: rational, top: rational, width: rational, height: rational }),
  fitPolicy: z.enum(fitPolicies).optional().meta({ description: 'Of this region; the one of the layout when absent.' }),
});

const template = z.strictObject({ region: z.array(region).min(1).max(maxRegions).readonly() });

const layoutShape = {
  base: z.enum(layoutBases).meta({ description: '`void`: only the custom templates.' }),
  gridSize: z.int().min(1).max(maxRegions).meta({ description: 'Places of `grid`.' }),
  custom: z.array(template).max(64).readonly().meta({
    description: 'Each takes the place of what the base does for as many inputs as it has regions.',
  }),
  fitPolicy: z.enum(fitPolicies),
};

const color = z
  .string()
  .regex(/^#[0-9a-fA-F]{6}$/)
  .meta({ examples: ['#1a1a2e'] });

const lookShape = {
  maxInputs: z.int().min(1).max(maxRegions).meta({ description: 'Others wait, until one leaves or they speak.' }),
  isVoicePrimary: z.boolean().meta({ description: 'Who speaks gets the first place.' }),
  backgroundColor: color,
  hasLabels: z.boolean().meta({ description: 'Names on the pictures.' }),
  hasSpeakerBorder: z.boolean().meta({ description: 'A frame round who speaks.' }),
  autoMix: z.enum(autoMixRules).meta({
    description: '`all`: every picture, and phones as initials; `cameras`: every picture; `phones`; `none`: by hand.',
  }),
};

const place = z.object({
  regionId: z.string(),
  x: count,
  y: count,
  width: count,
  height: count,
});

const input = z.object({
  streamId: z.string().nullable().meta({ description: 'null for a phone, which has no picture.' }),
  participantId: z.string(),
  displayName: z.string(),
  place: place.nullable().meta({ description: 'Pixels of the view; null while it waits.' }),
});

const encoder = z.object({
  codec: z.enum(viewCodecs),
  width: count,
  height: count,
  framerateHz: z.number(),
  bitrateBps: z.number(),
  users: count.meta({ description: 'Tracks and outputs that share it.' }),
  longestGapMs: z.number().meta({ description: 'Between two of its pictures, since it was opened.' }),
});

const measured = z.object({
  framerateHz: z.number().meta({ description: 'Composed in the last second.' }),
  targetFramerateHz: z.number().meta({ description: 'Lower than that of the view while there is too much to do.' }),
  msPerTick: z.number(),
  inputsWaiting: count,
  encoders: z.array(encoder).readonly(),
});

export const viewSchema = z
  .object({
    name: z.string(),
    isRunning: z.boolean().meta({ description: 'It is composed while somebody watches.' }),
    video: z.object({
      width: count,
      height: count,
      framerateHz: z.number(),
      codec: z.enum(viewCodecs),
      bitrateBps: z.number().nullable().meta({ description: 'null: by size, codec and motion.' }),
      keyFrameIntervalS: z.number(),
      motionFactor: z.number(),
    }),
    hasAudio: z.boolean(),
    layout: z.object(layoutShape),
    ...lookShape,
    hasBackgroundImage: z.boolean(),
    inputs: z.array(input).readonly().meta({ description: 'Primary first, those who wait last.' }),
    pinned: z.string().nullable().meta({ description: 'Stream or participant that stays primary.' }),
    stats: measured.nullable(),
  })
  .meta({ id: 'View' });

export const viewList = z.object({ items: z.array(viewSchema).readonly() }).meta({ id: 'ViewList' });

const optional = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).partial();

export const viewPatch = optional({
  layout: optional(layoutShape),
  ...lookShape,
  backgroundImage: z.base64().max(2_800_000).nullable().meta({ description: 'PNG or JPEG; null takes it away.' }),
  primary: itemId.meta({ description: 'Stream or participant that changes places with the first.' }),
  pinned: itemId.nullable().meta({ description: 'Stays primary until another is, or null.' }),
  swap: z.tuple([itemId, itemId]).meta({ description: 'Two that change places.' }),
  order: z.array(itemId).max(maxRegions).meta({ description: 'These come first, in this order.' }),
  add: z.array(itemId).max(maxRegions).meta({ description: 'Streams that go in, whatever autoMix says.' }),
  remove: z.array(itemId).max(maxRegions).meta({ description: 'Streams that go out.' }),
}).meta({ id: 'ViewPatch' });

export type ViewResource = z.output<typeof viewSchema>;
export type ViewPatch = z.output<typeof viewPatch>;
