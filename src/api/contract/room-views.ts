// Owns: the views of a room: what is composed of it, and how it looks. May import: zod, core, ./pieces.

import { z } from 'zod';
import { fitPolicies, layoutBases, maxRegions } from '#core/view-layout.ts';
import { viewCodecs } from '#core/view-messages.ts';
import { autoMixRules, backgroundColorPattern, viewNamePattern } from '#core/view-settings.ts';
import { changes, count, itemId, page, roomParams } from './pieces.ts';

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

const side = (largest: number) => z.int().min(16).max(largest).meta({ description: 'Even.' });

const color = z
  .string()
  .regex(backgroundColorPattern, 'is #rrggbb')
  .meta({ examples: ['#1a1a2e'] });

const lookShape = {
  maxInputs: z.int().min(1).max(maxRegions).meta({ description: 'Others wait, until one leaves or they speak.' }),
  isVoicePrimary: z.boolean().meta({ description: 'Who speaks gets the first place.' }),
  backgroundColor: color,
  hasLabels: z.boolean().meta({ description: 'Names on the pictures.' }),
  hasSpeakerBorder: z.boolean().meta({ description: 'A frame round who speaks.' }),
  transitionMs: z
    .int()
    .min(0)
    .max(1_000)
    .meta({ description: 'In which everybody glides to another place; 0: at once.' }),
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

const codec = z.enum(['vp8', 'h264', 'vp9']);
const bitrate = z.int().min(10_000).max(200_000_000);
const videoShape = {
  width: side(4_096),
  height: side(2_160),
  framerateHz: z.number().min(1).max(60),
  codec: codec.meta({ description: 'For viewers that can take several; one of mediaOut of the room.' }),
  keyFrameIntervalS: z.number().min(1).max(3_600).meta({ description: 'Seconds; they come when asked for, too.' }),
  motionFactor: z
    .number()
    .min(0.1)
    .max(4)
    .meta({ description: '1 for sport: how much of the usual bitrate it needs.' }),
};
const automatic = { description: 'null: by size, codec and motion.' };
const ownVideo = {
  ...videoShape,
  bitrateBps: z.union([bitrate, z.null()]).meta(automatic),
  ladder: z
    .union([z.array(side(2_160)).max(5).readonly(), z.null()])
    .meta({ description: 'Heights of further, smaller encodings for HLS and DASH; null: hls.ladder of the server.' }),
};

/** What a room's record says of a view. */
const settingsShape = {
  name: z.string(),
  video: z.object(ownVideo),
  hasVideo: z.boolean().meta({ description: 'false: it is the mix of the room and nothing else.' }),
  hasAudio: z.boolean(),
  layout: z.object(layoutShape),
  ...lookShape,
  hasBackgroundImage: z.boolean(),
};

export const viewSettingsSchema = z.object(settingsShape).meta({ id: 'ViewSettings' });

export const viewSchema = z
  .object({
    ...settingsShape,
    isRunning: z.boolean().meta({ description: 'It is composed while somebody watches.' }),
    inputs: z.array(input).readonly().meta({ description: 'Primary first, those who wait last.' }),
    pinned: z.string().nullable().meta({ description: 'Stream or participant that stays primary.' }),
    stats: measured.nullable(),
  })
  .meta({ id: 'View' });

export const viewList = page(viewSchema).meta({ id: 'ViewList' });

const optional = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).partial();

const changeable = {
  video: optional(ownVideo),
  hasVideo: settingsShape.hasVideo,
  hasAudio: settingsShape.hasAudio,
  layout: optional(layoutShape),
  ...lookShape,
};
const backgroundImage = z.base64().max(2_800_000).nullable().meta({ description: 'PNG or JPEG; null takes it away.' });
const viewName = z
  .string()
  .regex(viewNamePattern, 'has up to 64 letters, digits and ._~-')
  .meta({ description: 'Part of URLs: /whep/{room}/views/{name}.', examples: ['wide'] });

/** In the record of a room: what is not said is as in every view. */
export const roomViewInput = optional(changeable).extend({ name: viewName }).meta({ id: 'RoomViewInput' });

export const viewInput = optional({ ...changeable, backgroundImage })
  .extend({ name: viewName })
  .meta({ id: 'ViewInput' });

export const viewPatch = optional({
  ...changes({ ...changeable, video: changes(ownVideo), layout: changes(layoutShape) }).shape,
  backgroundImage,
  primary: itemId.meta({ description: 'Stream or participant that changes places with the first.' }),
  pinned: itemId.nullable().meta({ description: 'Stays primary until another is, or null.' }),
  swap: z.tuple([itemId, itemId]).meta({ description: 'Two that change places.' }),
  order: z.array(itemId).max(maxRegions).meta({ description: 'These come first, in this order.' }),
  add: z.array(itemId).max(maxRegions).meta({ description: 'Streams that go in, whatever autoMix says.' }),
  remove: z.array(itemId).max(maxRegions).meta({ description: 'Streams that go out.' }),
}).meta({ id: 'ViewPatch' });

export type ViewSettingsResource = z.output<typeof viewSettingsSchema>;
export type ViewInput = z.output<typeof viewInput>;
export type ViewResource = z.output<typeof viewSchema>;
export type ViewPatch = z.output<typeof viewPatch>;
