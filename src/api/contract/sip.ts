// Owns: phones beyond one room: its door, the rules for calls, what was dialled. May import: zod, core, ./pieces.
import { z } from 'zod';
import { weekdays } from '#core/dispatch-match.ts';
import { promptLanguages } from '#core/leg-media.ts';
import { sipAccesses } from '#core/room-sip.ts';
import { count, itemId, page, pageQuery, patchOf, time } from './pieces.ts';
import { recordOption } from './recordings.ts';
import { phoneMenuSchema } from './sip-menus.ts';
import { sipCallSchema } from './sipcalls.ts';

const pin = z
  .string()
  .regex(/^\d{4,16}$/, 'has 4 to 16 digits')
  .meta({ description: 'What phones have to type, 4 to 16 digits.', examples: ['471100'] });
const language = z.enum(promptLanguages).meta({ description: 'Of announcements.' });
const access = z.enum(sipAccesses);
const video = {
  hasVideo: z.boolean().meta({ description: 'Whether video phones bring their picture and are shown a view.' }),
  view: z.string().min(1).max(64).meta({ description: 'Name of the view that they are shown.' }),
};

const door = {
  access: access.meta({ description: 'Who may call in: who types the PIN, whoever calls, nobody.' }),
  language,
  hasPrompts: z.boolean().meta({ description: 'Whether phones are told what happens; the PIN is asked for anyway.' }),
};

/** In a room, for everybody who may read it: all but the PIN. */
export const roomSipSchema = z
  .object({
    access: door.access.nullable(),
    language: language.nullable(),
    hasPrompts: door.hasPrompts.nullable(),
    hasVideo: video.hasVideo.nullable(),
    view: video.view.nullable(),
    hasPin: z.boolean(),
  })
  .meta({ id: 'RoomSip', description: 'null: as the server is configured; `…/dial-in` says what holds.' });

export const roomSipInput = z
  .strictObject({
    access: door.access.optional(),
    pin: pin.optional(),
    language: language.optional(),
    hasPrompts: door.hasPrompts.optional(),
    hasVideo: video.hasVideo.optional(),
    view: video.view.optional(),
  })
  .meta({ id: 'RoomSipInput' });

export const roomSipPatch = z
  .strictObject({
    access: door.access.nullish(),
    pin: pin.nullish(),
    language: language.nullish(),
    hasPrompts: door.hasPrompts.nullish(),
    hasVideo: video.hasVideo.nullish(),
    view: video.view.nullish(),
  })
  .meta({ id: 'RoomSipPatch', description: 'null takes a setting back to that of the server, and the PIN away.' });

export const roomDialInSchema = z
  .object({
    ...door,
    isEnabled: z.boolean().meta({ description: 'Whether phones can call this server at all.' }),
    hasPin: z.boolean(),
    pin: z.string().nullable().meta({ description: 'For those who may moderate or administer; null for others.' }),
    addresses: z
      .array(z.string())
      .readonly()
      .meta({ description: 'What to dial, the plainest first.', examples: [['sip:demo@meet.example.org']] }),
    numbers: z
      .array(
        z.object({
          number: z.string().meta({ description: 'As the rule has it.', examples: ['+4930123'] }),
          access: z.enum(['pin', 'open']),
          hasOwnPin: z.boolean().meta({ description: "It is the rule's that is asked for, not the room's." }),
          isMenu: z.boolean().meta({ description: 'The room is one of several to choose from there.' }),
        }),
      )
      .readonly()
      .meta({ description: 'Numbers that dispatch rules send here, whoever calls and whenever.' }),
  })
  .meta({ id: 'RoomDialIn' });

// ── Rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const rejection = z.strictObject({
  status: z.int().min(400).max(699).default(603).meta({ description: 'What SIP answers.' }),
  reason: z.string().min(1).max(200).meta({ description: 'Told to the caller (Warning) and to the log.' }),
});

const phoneNumber = z.string().regex(/^\+?\d{1,20}$/, 'is a number');
const clock = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'is HH:MM');

const rule = {
  order: z.int().min(0).max(1_000_000).meta({ description: 'Lower is tried first.' }),
  number: z
    .string()
    .min(1)
    .max(128)
    .meta({ description: 'What is dialled, compared as it is.', examples: ['+4930123'] }),
  pattern: z.string().min(1).max(256).meta({ description: 'Or a regular expression over all of what is dialled.' }),
  numberRange: z
    .strictObject({ first: phoneNumber, last: phoneNumber })
    .meta({ description: 'Or what lies between two numbers of the same length.' }),
  from: z.string().min(1).max(128).meta({ description: 'Of the caller: +4989123, or what it begins with: +4989*.' }),
  fromPattern: z.string().min(1).max(256).meta({ description: 'A regular expression over all of the caller.' }),
  divertedFrom: z
    .string()
    .min(1)
    .max(128)
    .meta({ description: 'Number or name that it was for before it was sent on to us (Diversion, History-Info).' }),
  trunk: z.string().min(1).max(64).meta({ description: 'Name or id of the trunk that brings it.' }),
  account: z.string().min(1).max(64).meta({ description: 'Username of the account that calls; * for any.' }),
  headers: z
    .record(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/), z.string().min(1).max(256))
    .refine((value) => Object.keys(value).length <= 8, 'has at most 8 headers')
    .meta({ description: 'Names of headers to regular expressions over all of their value.' }),
  time: z
    .strictObject({
      days: z.array(z.enum(weekdays)).min(1).max(7).optional(),
      from: clock.optional(),
      to: clock.optional().meta({ description: 'Not included; before `from`: over midnight.' }),
      timeZone: z
        .string()
        .min(1)
        .max(64)
        .optional()
        .meta({ description: 'UTC unless said.', examples: ['Europe/Berlin'] }),
    })
    .meta({ description: 'When it holds.' }),
  room: z.string().min(1).max(128).meta({ description: 'Name or id of the room that takes the call.' }),
  personalRoom: z.strictObject({ prefix: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._~-]{0,31}$/) }).meta({
    description:
      "Or a room of the caller's own, `prefix` and its number: made with its first call by a trunk or an account.",
  }),
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).max(2_048),
      secret: z
        .string()
        .regex(/^whsec_[A-Za-z0-9+/=]{24,128}$/, 'is whsec_ and base64')
        .meta({ description: 'Signs what is asked (Standard Webhooks); never told.' }),
      timeoutMs: z.int().min(100).max(10_000).optional().meta({ description: '3000 unless said.' }),
      fallbackRoom: z.string().min(1).max(128).optional().meta({ description: 'When it does not answer; else 480.' }),
    })
    .meta({
      description: 'Or a system of yours decides: it is POSTed the call and answers {room, access} or {reject}.',
    }),
  menu: phoneMenuSchema.meta({
    id: 'PhoneMenu',
    description: 'Or the caller chooses by keys: docs/protocols/menus.md.',
  }),
  access: z.enum(['pin', 'open']).meta({ description: 'Instead of what the room says.' }),
  pin: pin.meta({ description: 'Asked for instead of the PIN of the room.' }),
  language,
  reject: rejection.meta({ description: 'Refuses the call instead.' }),
  record: recordOption.meta({
    description: 'Records the calls, each by itself, or, false, does not; whatever their trunk says.',
  }),
};

export const dispatchRuleSchema = z
  .object({
    id: z.string(),
    source: z
      .enum(['config', 'api'])
      .meta({ description: 'Those of the configuration come first and stay as they are.' }),
    order: rule.order,
    number: z.string().nullable(),
    numberRange: z.object({ first: z.string(), last: z.string() }).nullable(),
    pattern: z.string().nullable(),
    from: z.string().nullable(),
    fromPattern: z.string().nullable(),
    divertedFrom: z.string().nullable(),
    trunk: z.string().nullable(),
    account: z.string().nullable(),
    headers: z.record(z.string(), z.string()).nullable(),
    time: z
      .object({
        days: z.array(z.enum(weekdays)).readonly().nullable(),
        from: z.string().nullable(),
        to: z.string().nullable(),
        timeZone: z.string().nullable(),
      })
      .nullable(),
    room: z.string().nullable(),
    personalRoom: z.object({ prefix: z.string() }).nullable(),
    webhook: z
      .object({ url: z.string(), timeoutMs: z.int().nullable(), fallbackRoom: z.string().nullable() })
      .nullable()
      .meta({ description: 'Without its secret.' }),
    // Not nullable(): it has a name.
    menu: z.union([rule.menu, z.null()]),
    access: rule.access.nullable(),
    hasPin: z.boolean(),
    language: language.nullable(),
    reject: z.object({ status: z.int(), reason: z.string() }).nullable(),
    record: z.union([rule.record, z.null()]),
    createdAt: time.nullable(),
  })
  .meta({ id: 'DispatchRule' });

export const dispatchRuleList = z
  .object({ items: z.array(dispatchRuleSchema).readonly(), next: z.string().nullable() })
  .meta({ id: 'DispatchRuleList' });

export const dispatchRuleInput = z
  .strictObject({
    order: rule.order.optional(),
    number: rule.number.optional(),
    numberRange: rule.numberRange.optional(),
    pattern: rule.pattern.optional(),
    from: rule.from.optional(),
    fromPattern: rule.fromPattern.optional(),
    divertedFrom: rule.divertedFrom.optional(),
    trunk: rule.trunk.optional(),
    account: rule.account.optional(),
    headers: rule.headers.optional(),
    time: rule.time.optional(),
    room: rule.room.optional(),
    personalRoom: rule.personalRoom.optional(),
    webhook: rule.webhook.optional(),
    menu: rule.menu.optional(),
    access: rule.access.optional(),
    pin: rule.pin.optional(),
    language: language.optional(),
    reject: rule.reject.optional(),
    record: rule.record.optional(),
  })
  .meta({
    id: 'DispatchRuleInput',
    description:
      'All that is asked of a call has to fit; one of `room`, `personalRoom`, `webhook`, `menu` and `reject` says what becomes of it.',
  });

export const dispatchRulePatch = patchOf(dispatchRuleInput).meta({ id: 'DispatchRulePatch' });

export const dispatchRuleParams = z.object({ rule: itemId });

export const simulationInput = z
  .strictObject({
    to: z
      .string()
      .min(1)
      .max(512)
      .meta({
        description: 'What is called: a SIP address, or the part before the @.',
        examples: ['sip:demo@meet.example.org', '+4930123'],
      }),
    from: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .meta({ description: 'Who calls: a SIP address, or the part before the @.' }),
    source: z
      .string()
      .min(2)
      .max(64)
      .optional()
      .meta({ description: 'Address that the packet comes from.', examples: ['192.0.2.7'] }),
    username: z.string().min(1).max(128).optional().meta({ description: 'Shown by digest, and the password right.' }),
    headers: z.record(z.string().min(1).max(64), z.string().max(1_024)).optional(),
    at: time.optional().meta({ description: 'When; now unless said.' }),
  })
  .meta({ id: 'DispatchSimulationInput' });

export const simulationSchema = z
  .object({
    dialled: z.string(),
    outcome: z
      .enum(['enter', 'ask_pin', 'ask_webhook', 'menu', 'reject'])
      .meta({ description: '`ask_webhook`: a system of yours decides; it is not asked now. `menu`: the caller does.' }),
    trunk: z.object({ id: z.string(), name: z.string() }).nullable(),
    account: z.string().nullable(),
    rejectedTrunks: z
      .array(z.object({ id: z.string(), name: z.string(), reason: z.string() }))
      .readonly()
      .meta({ description: 'Trunks that it is not from, and why.' }),
    rejectedRules: z
      .array(z.object({ id: z.string(), reason: z.string() }))
      .readonly()
      .meta({ description: 'Rules that were tried before, and in which point the call does not fit each.' }),
    room: z.object({ id: z.string(), name: z.string() }).nullable(),
    // Not nullable(): of a schema with a name that makes an allOf in the document, which null does not fit.
    rule: z.union([dispatchRuleSchema, z.null()]),
    language,
    rejection: z.object({ code: z.string(), status: z.int(), reason: z.string() }).nullable(),
    recordedBy: z
      .enum(['rule', 'trunk'])
      .nullable()
      .meta({ description: 'Who says that the call is recorded; null: nobody.' }),
    steps: z.array(z.string()).readonly().meta({ description: 'One sentence for each step.' }),
  })
  .meta({ id: 'DispatchSimulation' });

// ── Calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export const callListQuery = pageQuery.extend({
  room: z.string().min(1).max(128).optional().meta({ description: 'Name or id. By id also when it is gone.' }),
  state: z.enum(['on', 'ended']).optional(),
  direction: z.enum(['inbound', 'outbound']).optional(),
  search: z.string().min(1).max(128).optional().meta({ description: 'In the addresses and the name, without case.' }),
});

export const callList = page(sipCallSchema).meta({ id: 'SipCallHistory' });
export const callParams = z.object({ sipCall: itemId });

export const callMessagesSchema = z
  .object({
    droppedCount: count.meta({ description: 'Messages that made room for later ones.' }),
    messages: z
      .array(
        z.object({
          at: time,
          direction: z.enum(['in', 'out']),
          protocol: z.string(),
          local: z.string(),
          remote: z.string(),
          title: z.string(),
          text: z.string(),
        }),
      )
      .readonly(),
  })
  .meta({ id: 'SipCallMessages' });

export type RoomDialIn = z.output<typeof roomDialInSchema>;
export type DispatchRuleResource = z.output<typeof dispatchRuleSchema>;
export type DispatchRuleInput = z.input<typeof dispatchRuleInput>;
export type SimulationInput = z.output<typeof simulationInput>;
export type DispatchSimulation = z.output<typeof simulationSchema>;
export type SipCallMessages = z.output<typeof callMessagesSchema>;
