// Owns: trunks, carriers and PBXs that calls come from and go to. May import: zod, core, ./pieces.
import { z } from 'zod';
import { legCodecs } from '#core/leg-media.ts';
import { identityHeaders, mediaServers, numberPlaces, trunkTransports } from '#core/trunk.ts';
import { count, itemId, page, patchOf, shortText, time } from './pieces.ts';
import { recordOption } from './recordings.ts';

const name = z
  .string()
  .regex(/^[\w][\w .-]{0,63}$/, 'has letters, digits, space, - . _')
  .meta({ description: 'Of your own; calls out name it.', examples: ['carrier'] });
const username = z
  .string()
  .min(1)
  .max(128)
  .regex(/^[^\s"\\<>]+$/, 'has no spaces, quotes or brackets');
const password = z
  .string()
  .min(1)
  .max(256)
  .meta({ description: 'Kept sealed and never told; left out in a PUT: stays as it was.' });
const numberPattern = z
  .string()
  .regex(/^\+?[\w.~-]{0,64}\*?$/, 'is a number, or what it begins with and *')
  .min(1);
const host = z
  .string()
  .max(260)
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9]([\w.-]{0,252}))(:\d{1,5})?$/, 'is a name or address, with :port if need be')
  .meta({ examples: ['pbx.example', '192.0.2.7:5080'] });
const headerName = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'is no name of a header');

/** Of each direction. */
const side = {
  maxCalls: z.int().min(0).max(100_000).optional().meta({ description: 'At once; past it 503 with Retry-After.' }),
  callsPerSecond: z.number().min(0.01).max(10_000).optional().meta({ description: 'Past it 503 with Retry-After.' }),
  record: recordOption.optional(),
};

const inbound = {
  addresses: z
    .array(z.string().min(2).max(64))
    .max(64)
    .optional()
    .meta({ description: 'Addresses or CIDR ranges that packets come from.', examples: [['192.0.2.0/24']] }),
  username: username
    .optional()
    .meta({ description: 'Has to be shown by digest; besides the address where both are given.' }),
  numbers: z
    .array(numberPattern)
    .max(500)
    .optional()
    .meta({ description: 'Called numbers that it may bring: +4930123 or +4930*. All if absent.' }),
  numberIn: z
    .enum(numberPlaces)
    .optional()
    .meta({ description: 'Which header says the called number; the Request-URI unless said.' }),
  ...side,
};

const outbound = {
  hosts: z.array(host).min(1).max(8).meta({ description: 'Tried in this order; of each also all that DNS says.' }),
  transport: z.enum(trunkTransports).optional().meta({ description: 'udp unless said.' }),
  username: username.optional(),
  authUsername: username.optional().meta({ description: 'Where the digest has another name than the address.' }),
  domain: host.optional().meta({ description: 'Host part of From; the first of `hosts` unless said.' }),
  noAnswerMs: z
    .int()
    .min(500)
    .max(32_000)
    .optional()
    .meta({ description: 'A host that says nothing for so long is given up for the next; 4000 unless said.' }),
  callerId: z
    .strictObject({
      number: z
        .string()
        .min(1)
        .max(64)
        .regex(/^[+\w.~-]+$/)
        .optional()
        .meta({ description: 'Shown where a call does not say.' }),
      displayName: shortText.optional(),
      allowed: z
        .array(numberPattern)
        .max(500)
        .optional()
        .meta({ description: 'Others that a call may show; all if absent.' }),
      header: z.enum(identityHeaders).optional().meta({
        description: 'Where the number goes. Beside From, From has the username: many carriers want that.',
      }),
    })
    .optional(),
  registration: z
    .strictObject({
      expiresSec: z.int().min(60).max(86_400).optional().meta({ description: '600 unless said.' }),
      contactUser: z
        .string()
        .regex(/^[\w.~-]{1,64}$/)
        .optional()
        .meta({ description: 'Of our Contact; one that nobody can guess unless said.' }),
    })
    .optional()
    .meta({ description: 'Present: we register there, and calls to our Contact are known to be from it.' }),
  keepAliveSec: z
    .int()
    .min(0)
    .max(3_600)
    .optional()
    .meta({ description: 'Between OPTIONS to each host; 30 unless said, 0 sends none.' }),
  ...side,
};

const media = z
  .strictObject({
    server: z.enum(mediaServers).optional().meta({ description: 'Who has the media of its calls.' }),
    codecs: z.array(z.enum(legCodecs)).min(1).max(8).optional(),
    srtp: z.enum(['off', 'allow', 'require']).optional(),
  })
  .meta({ description: 'Instead of sip.media, sip.codecs and sip.srtp.' });

const headers = z
  .strictObject({
    attributes: z
      .array(headerName)
      .max(16)
      .optional()
      .meta({ description: 'Of calls in: become sip.h.… of the participant.' }),
    allowed: z
      .array(headerName)
      .max(16)
      .optional()
      .meta({ description: 'That calls out may bring besides the usual ones.' }),
  })
  .meta({ description: 'Besides sip.attributeHeaders and sip.headers.' });

export const trunkInput = z
  .strictObject({
    name,
    isEnabled: z.boolean().optional(),
    inbound: z.strictObject({ ...inbound, password: password.optional() }).optional(),
    outbound: z.strictObject({ ...outbound, password: password.optional() }).optional(),
    media: media.optional(),
    headers: headers.optional(),
  })
  .meta({ id: 'SipTrunkInput', description: 'Needs `inbound`, `outbound` or both.' });

export const trunkPatch = patchOf(trunkInput).meta({ id: 'SipTrunkPatch' });

const hostState = z.object({
  host: z.string(),
  state: z.enum(['unknown', 'up', 'down']),
  roundTripMs: z.number().nullable(),
  lastError: z.string().nullable(),
});

const trunkStatus = z.object({
  state: z
    .enum(['disabled', 'unknown', 'up', 'down'])
    .meta({ description: '`unknown`: nothing was tried yet, or there is nothing to try.' }),
  since: time.nullable(),
  lastError: z.string().nullable().meta({ description: 'What failed last, in words.' }),
  lastErrorAt: time.nullable(),
  inboundCalls: count,
  outboundCalls: count,
  registration: z
    .object({ state: z.enum(['registering', 'registered', 'failed']), expiresAt: time.nullable() })
    .nullable(),
  hosts: z.array(hostState).readonly(),
});

export const trunkSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    isEnabled: z.boolean(),
    inbound: z.object({ ...inbound, hasPassword: z.boolean() }).nullable(),
    outbound: z.object({ ...outbound, hasPassword: z.boolean() }).nullable(),
    media: z.object({
      server: z.enum(mediaServers).nullable(),
      codecs: z.array(z.enum(legCodecs)).readonly().nullable(),
      srtp: z.string().nullable(),
    }),
    headers: z.object({ attributes: z.array(z.string()).readonly(), allowed: z.array(z.string()).readonly() }),
    status: trunkStatus,
    createdAt: time,
  })
  .meta({ id: 'SipTrunk' });

export const trunkList = page(trunkSchema).meta({ id: 'SipTrunkList' });
export const trunkParams = z.object({ trunk: itemId.meta({ description: 'Id or name.' }) });

export type SipTrunk = z.output<typeof trunkSchema>;
export type SipTrunkInput = z.input<typeof trunkInput>;
