// Owns: menus that callers walk through, as part of a rule. May import: zod, core.
import { z } from 'zod';
import { promptLanguages, promptNamePattern } from '#core/leg-media.ts';
import { defaultRingTimeoutMs, dialNumberPattern } from '#core/menu-dial.ts';
import { maxMenuNodes, menuDefaults, menuNodeName } from '#core/phone-menu.ts';

const language = z.enum(promptLanguages);
const nodeName = z.string().regex(menuNodeName, 'is a name of small letters, digits, _ and -');
const promptName = z
  .string()
  .regex(promptNamePattern, 'is the name of a recording')
  .meta({ examples: ['welcome'] });
const say = z
  .array(z.union([promptName, z.strictObject({ prompt: promptName, language: language.optional() })]))
  .max(12)
  .readonly();
const roomName = z.string().min(1).max(128);

const dialled = {
  trunk: z.string().min(1).max(64).optional().meta({ description: 'Name or id of the trunk that it goes through.' }),
  ringTimeoutMs: z
    .int()
    .min(1_000)
    .max(120_000)
    .optional()
    .meta({ description: `It rings so long at most: ${defaultRingTimeoutMs} unless said.` }),
  showsCaller: z.boolean().optional().meta({
    description: 'Whether the number of the caller is shown there; unless said, it is but through a trunk.',
  }),
  unanswered: z
    .strictObject({ say: say.optional(), goto: nodeName.optional() })
    .optional()
    .meta({ description: 'What is said instead of our words, and where the caller goes on instead of where he was.' }),
};

const dial = z
  .strictObject({
    to: z
      .string()
      .min(1)
      .max(512)
      .regex(/^[^\s<>"|,]+$/, 'is no SIP address, account or number')
      .meta({
        description: 'SIP or tel address, username of an account; a number where there is a trunk.',
        examples: ['+4930123', 'sip:desk@pbx.example', 'alice'],
      }),
    ...dialled,
  })
  .meta({ id: 'PhoneMenuDial' });

const typedDial = z
  .strictObject({
    numbers: z
      .array(z.string().regex(dialNumberPattern, 'is digits, ? for any one of them, * at the end for any more'))
      .min(1)
      .max(50)
      .readonly()
      .meta({
        description: 'None but these. With +: the whole number, however it was typed; without: the very keys.',
        examples: [['+4930*', '2??']],
      }),
    ...dialled,
    trunk: dialled.trunk.unwrap(),
  })
  .meta({ id: 'PhoneMenuTypedDial' });

const action = z
  .strictObject({
    language: language.optional().meta({ description: 'Spoken from here on.' }),
    menu: nodeName.optional().meta({ description: 'Down to another node; never back to one that led here.' }),
    goto: nodeName.optional().meta({ description: 'To any node; as often as `maxGotos` says.' }),
    room: roomName.optional().meta({ description: 'Name or id of the room that takes the call.' }),
    access: z.enum(['pin', 'open']).optional().meta({ description: 'Instead of what the room says.' }),
    dial: dial.optional().meta({ description: 'Calls somebody, and connects the two.' }),
    repeat: z.literal(true).optional().meta({ description: 'Says it again; counts as a goto.' }),
    hangUp: z
      .strictObject({ reason: z.string().min(1).max(200), say: say.optional() })
      .optional()
      .meta({ description: 'With a reason for the record.' }),
  })
  .meta({ id: 'PhoneMenuAction', description: 'One of menu, goto, room, dial, repeat, hangUp.' });

const waitMs = (max: number) => z.int().min(500).max(max);

const node = z
  .strictObject({
    say: say.optional().meta({ description: 'Ours, or yours in mix.promptsFolder; keys are taken while it is said.' }),
    keys: z
      .record(z.string().regex(/^[0-9*#]$/, 'is a key'), action)
      .optional()
      .meta({ description: 'What each key does.' }),
    collect: z
      .strictObject({
        find: z.enum(['number', 'pin', 'phone']),
        rooms: z.array(roomName).min(1).max(50).readonly().optional(),
        dial: typedDial.optional(),
      })
      .optional()
      .meta({
        description:
          '`number`: as if it had been dialled, by rules and names of rooms. `pin`: the one of `rooms` whose PIN it is. `phone`: calls it, where `dial` allows.',
      }),
    tries: z
      .int()
      .min(1)
      .max(10)
      .optional()
      .meta({ description: `${menuDefaults.tries} unless said.` }),
    firstKeyMs: waitMs(60_000)
      .optional()
      .meta({ description: `${menuDefaults.firstKeyMs} unless said.` }),
    nextKeyMs: waitMs(30_000)
      .optional()
      .meta({ description: `${menuDefaults.nextKeyMs} unless said.` }),
    otherwise: action.optional().meta({ description: 'After the last try; hangs up unless said.' }),
  })
  .meta({ id: 'PhoneMenuNode' });

export const phoneMenuSchema = z.strictObject({
  start: nodeName,
  nodes: z
    .record(nodeName, node)
    .refine((nodes) => Object.keys(nodes).length <= maxMenuNodes, `has at most ${maxMenuNodes} nodes`),
  maxGotos: z
    .int()
    .min(0)
    .max(50)
    .optional()
    .meta({ description: `${menuDefaults.maxGotos} unless said.` }),
});
