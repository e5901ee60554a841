// Owns: join tokens. May import: zod, core, ./pieces.

import { z } from 'zod';
import { mediaKinds } from '#core/grants.ts';
import { avatarUrl, bag, role, shortText, time } from './pieces.ts';

const mediaKindList = z.array(z.enum(mediaKinds)).max(mediaKinds.length);
const maxTokenTtlMs = 30 * 86_400_000;

export const tokenParams = z.object({ token: z.string().min(1).max(300).meta({ description: 'Id of a token.' }) });

export const tokenInput = z
  .strictObject({
    user: shortText.meta({ description: 'The application’s name for the user.' }),
    name: shortText.optional().meta({ description: 'What others see; `user` if absent.' }),
    role,
    attributes: bag(32).optional(),
    avatarUrl: avatarUrl.optional(),
    publish: mediaKindList.optional().meta({ description: 'Only these, of what the role may send.' }),
    subscribe: mediaKindList.optional().meta({ description: 'Only these, of what the role may receive.' }),
    once: z.boolean().optional().meta({ description: 'Good for one join only.' }),
    ttlMs: z.int().min(1_000).max(maxTokenTtlMs).optional().meta({ description: 'How long it may be used to join.' }),
  })
  .meta({ id: 'TokenInput' });

const address = (what: string) =>
  z
    .string()
    .nullable()
    .meta({ description: `${what}; null while turned off.` });

const play = z.object({
  hls: address('HLS'),
  dash: address('MPEG-DASH'),
  rtsp: address('RTSP, with a login of its own'),
  rtsps: address('RTSP over TLS'),
});

export const tokenSchema = z
  .object({
    id: z.string().meta({ description: 'To revoke it by.' }),
    token: z.string(),
    url: z.url().meta({ description: 'Page of the meeting with the token in its fragment.' }),
    play: z
      .union([play, z.null()])
      .meta({ description: 'For players without WebRTC, with the credential in them. Null for who may not watch.' }),
    expiresAt: time,
  })
  .meta({ id: 'Token' });

export type TokenInput = z.input<typeof tokenInput>;
export type TokenResource = z.output<typeof tokenSchema>;
