// Owns: bridges between rooms. May import: zod, core, ./pieces.
import { z } from 'zod';
import { itemId, page, pageQuery, roomParams, time } from './pieces.ts';

export const bridgeParams = z.object({ room: roomParams.shape.room, bridge: itemId });

const ways = {
  hears: z.boolean().meta({ description: 'This room hears the other.' }),
  isHeard: z.boolean().meta({ description: 'The other room hears this one.' }),
  sees: z.boolean().meta({ description: 'This room sees a view of the other.' }),
  isSeen: z.boolean().meta({ description: 'The other room sees a view of this one.' }),
  reads: z.boolean().meta({ description: 'This room reads what is written to everybody in the other.' }),
  isRead: z.boolean().meta({ description: 'The other room reads what is written to everybody in this one.' }),
};
const audio = z.boolean().meta({ description: 'Sound, both ways.' });
const video = z.boolean().meta({ description: 'Pictures, both ways: of each room its view, `sip.view` or the first.' });

const chat = z.boolean().meta({ description: 'Messages to everybody, both ways.' });

export const bridgeInput = z
  .strictObject({
    to: roomParams.shape.room.meta({ description: 'Name or id of the other room.', examples: ['other'] }),
    audio: audio.default(true),
    video: video.default(false),
    chat: chat.default(true),
  })
  .meta({ id: 'BridgeInput' });

export const bridgePatch = z
  .strictObject({ audio, video, chat, ...ways })
  .partial()
  .meta({
    id: 'BridgePatch',
    description: '`audio`, `video` and `chat` are both ways at once; what is said of one way counts more.',
  });

const roomName = z.object({ id: z.string(), name: z.string() });

export const bridgeSchema = z
  .object({
    id: z.string(),
    room: roomName,
    to: roomName,
    ...ways,
    participantId: z.string().meta({ description: 'Of the other room in this one, of the kind `bridge`.' }),
    createdAt: time,
  })
  .meta({
    id: 'Bridge',
    description: 'As the room of the address has it: read by the other, its ways are turned round.',
  });

export const bridgeQuery = pageQuery;
export const bridgeList = page(bridgeSchema).meta({ id: 'BridgeList' });

export type BridgeResource = z.output<typeof bridgeSchema>;
export type BridgeInput = z.input<typeof bridgeInput>;
export type BridgePatch = z.input<typeof bridgePatch>;
