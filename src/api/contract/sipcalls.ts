// Owns: phone calls of a room. May import: zod, core, ./pieces.

import { z } from 'zod';
import { promptLanguages } from '#core/leg-media.ts';
import { mediaServers } from '#core/trunk.ts';
import { videoLegCodecs } from '#core/video-leg-media.ts';
import { count, itemId, page, pageQueryOf, roomParams, shortText, time } from './pieces.ts';
import { recordOption } from './recordings.ts';

export const sipCallParams = z.object({ room: roomParams.shape.room, sipCall: itemId });

const quality = z.object({
  packetsReceived: count,
  packetsSent: count,
  packetsLost: z.int().meta({ description: 'Of what the phone sent; duplicates make it smaller.' }),
  remotePacketsLost: z.int().meta({ description: 'Of what we sent, as the phone reports it.' }),
  jitterMs: z.number(),
  roundTripTimeMs: z.number().nullable(),
  meanOpinionScore: z.number().nullable().meta({ description: '1 to 4.5, estimated from delay, loss and codec.' }),
});

const video = z.object({
  codec: z.enum(videoLegCodecs),
  packetizationMode: z.int().meta({ description: 'Of H264: 0 is one NAL unit in each packet.' }),
  direction: z
    .enum(['sendrecv', 'sendonly', 'recvonly', 'inactive'])
    .meta({ description: 'As this server sees it: `sendonly` shows the phone a view and takes no picture of it.' }),
  isEncrypted: z.boolean(),
  isMuted: z.boolean().meta({ description: 'Its picture is kept out of the room.' }),
  received: z
    .object({
      width: z.int().nullable(),
      height: z.int().nullable(),
      packets: count,
      packetsLost: z.int(),
      jitterMs: z.number(),
      frames: count,
      keyFrames: count,
      keyFramesAsked: count.meta({ description: 'How often the phone was asked for one.' }),
    })
    .nullable(),
  sent: z
    .object({
      width: z.int().nullable(),
      height: z.int().nullable(),
      framerateHz: z.number().nullable(),
      bitrateBps: z.int().nullable().meta({ description: 'What the encoder may spend.' }),
      packets: count,
      packetsLost: z.int().meta({ description: 'As the phone reports it.' }),
      frames: count,
      keyFrames: count,
      keyFramesWanted: count.meta({ description: 'How often the phone asked for one.' }),
      roundTripTimeMs: z.number().nullable(),
    })
    .nullable(),
});

export const sipCallSchema = z
  .object({
    id: z.string(),
    roomId: z.string().nullable().meta({ description: 'null while, or for a call that, it has found no room.' }),
    roomName: z.string().nullable(),
    direction: z.enum(['inbound', 'outbound']),
    state: z.enum(['dialing', 'ringing', 'asking', 'waiting', 'connected', 'parked', 'ended']).meta({
      description:
        '`asking`: answered, and in a menu or asked for the PIN before it is let in. `parked`: waits with music.',
    }),
    from: z.string(),
    to: z.string(),
    displayName: z.string(),
    sipCallId: z.string().nullable().meta({ description: 'Call-ID of SIP, to find it in other logs.' }),
    trunk: z
      .object({ id: z.string(), name: z.string() })
      .nullable()
      .meta({ description: 'Trunk that it came or went through.' }),
    account: z.string().nullable().meta({ description: 'Username of the account whose phone it is.' }),
    diversions: z
      .array(z.object({ uri: z.string(), reason: z.string() }))
      .readonly()
      .meta({ description: 'Whom it was for before it was sent on to us, the oldest first (RFC 5806, RFC 7044).' }),
    menu: z
      .array(
        z.object({
          node: z.string(),
          pressed: z.string().nullable().meta({ description: 'A key or a number; null for nothing in time.' }),
          led: z.string().meta({ examples: ['menu support', 'room demo', 'call sip:alice: answered', 'wrong'] }),
          call: z.string().nullable().meta({ description: 'Id of the call that was made.' }),
        }),
      )
      .readonly()
      .meta({ description: 'Its way through the menu of a rule; PINs are hidden.' }),
    calledFor: z.string().nullable().meta({ description: 'Id of the call whose choice in a menu made this one.' }),
    participantId: z.string().nullable(),
    startedAt: time,
    answeredAt: time.nullable(),
    endedAt: time.nullable(),
    end: z
      .object({
        by: z.enum(['us', 'peer', 'server']),
        reason: z.string().meta({ description: 'For programs.', examples: ['hung_up', 'refused', 'rtp_timeout'] }),
        message: z.string().meta({ description: 'For people.' }),
        code: z.string().nullable().meta({ description: 'Of the table of errors, where it was one.' }),
        blame: z
          .enum(['client', 'upstream', 'server'])
          .nullable()
          .meta({ description: 'Who has to act, where it was a failure: the caller, the other side, we.' }),
        sipStatus: z.int().nullable().meta({ description: 'Final answer of a call that was refused.' }),
      })
      .nullable(),
    isMuted: z.boolean(),
    isHeld: z.boolean().meta({ description: 'We hold it: it is not heard and hears music.' }),
    gainDb: z.number().meta({ description: 'How much louder it is heard in the mix.' }),
    isHeldByPeer: z.boolean(),
    isEncrypted: z.boolean(),
    isRecorded: z
      .boolean()
      .meta({ description: 'By itself, what it says and hears; a room that is recorded says so itself.' }),
    recordings: z
      .array(z.string())
      .readonly()
      .meta({ description: 'Ids of its own recordings, listed with the room in which each began; the oldest first.' }),
    recordingProblem: z
      .string()
      .nullable()
      .meta({ description: 'Why it is not recorded although a rule, its trunk or who made it said so.' }),
    codec: z.string().max(64).nullable().meta({
      description: 'That the phone speaks: opus, g722, pcmu or pcma; with FreeSWITCH whatever that speaks with it.',
    }),
    mediaServer: z.enum(mediaServers).nullable().meta({ description: 'Whose its media is; null before it has any.' }),
    digits: z.string().meta({ description: 'Keys that were pressed on the phone, the last 64.' }),
    quality: quality.nullable(),
    video: video.nullable().meta({ description: 'Of a video phone.' }),
    parked: z
      .object({
        slot: z.string().meta({ description: 'What is dialled to fetch it.' }),
        since: time,
        until: time.meta({ description: 'Goes back to its room then.' }),
      })
      .nullable(),
    transfer: z
      .object({
        by: z
          .enum(['api', 'phone'])
          .meta({ description: '`api`: we asked the phone to call somebody else; `phone`: it asked us.' }),
        kind: z.enum(['blind', 'attended']),
        to: z.string(),
        state: z
          .enum(['trying', 'ringing', 'done', 'failed', 'left'])
          .meta({ description: '`left`: the phone hung up before it had said what came of it.' }),
        sipStatus: z.int().nullable().meta({ description: 'What the other side answered last.' }),
        message: z.string(),
      })
      .nullable()
      .meta({ description: 'The last that was tried.' }),
  })
  .meta({ id: 'SipCall' });

export const sipCallQuery = pageQueryOf('CL_').extend({ state: sipCallSchema.shape.state.optional() });
export const sipCallList = page(sipCallSchema).meta({ id: 'SipCallList' });

const digits = z
  .string()
  .regex(/^[0-9*#A-Da-d,]{1,64}$/)
  .meta({ description: '0-9, *, #, A-D; a comma is a pause.' });

export const sipCallInput = z
  .strictObject({
    to: z
      .string()
      .min(1)
      .max(512)
      .meta({
        description: 'Whom to call; a name alone is an account, all of whose phones ring.',
        examples: ['sip:alice@pbx.example;transport=tcp', 'tel:+4930123', 'alice'],
      }),
    trunk: z
      .string()
      .min(1)
      .max(64)
      .optional()
      .meta({ description: 'Id or name of the trunk that it goes through; `to` may be a plain number then.' }),
    from: z.string().min(1).max(512).optional().meta({ description: 'Number, name or SIP address shown there.' }),
    displayName: shortText.optional().meta({ description: 'Name shown there.' }),
    headers: z.record(z.string().min(1).max(64), z.string().max(1_024)).optional().meta({
      description: 'More headers of the INVITE: X-…, and those that say something about a call (Subject, Diversion …).',
    }),
    credentials: z
      .strictObject({ username: z.string().min(1).max(128), password: z.string().max(256) })
      .optional()
      .meta({ description: 'If the other side asks for them (digest).' }),
    proxy: z.string().min(1).max(512).optional().meta({ description: 'SIP address that the call is sent to instead.' }),
    ringTimeoutMs: z.int().min(1_000).max(300_000).optional().meta({ description: 'Gives up after so long.' }),
    video: z.boolean().optional().meta({ description: 'Offers video as well.' }),
    digits: digits.optional().meta({ description: 'Keys to press once it is answered; a comma waits half a second.' }),
    hasEarlyMedia: z
      .boolean()
      .optional()
      .meta({ description: 'Lets the room hear what comes before the answer: ringing tones, menus, announcements.' }),
    language: z.enum(promptLanguages).optional().meta({ description: 'Of announcements to the phone.' }),
    record: recordOption.optional().meta({ description: 'Whether and how it is recorded, whatever its trunk says.' }),
  })
  .meta({ id: 'SipCallInput' });

export const sipCallPatch = z
  .strictObject({
    isMuted: z.boolean().optional(),
    isVideoMuted: z.boolean().optional().meta({ description: 'Keeps its picture out of the room.' }),
    video: z.boolean().optional().meta({ description: 'Adds video to the call, or drops it, by re-INVITE.' }),
    isHeld: z.boolean().optional(),
    gainDb: z.number().min(-40).max(20).optional().meta({ description: 'How much louder it is heard in the mix.' }),
    dtmf: digits.optional().meta({ description: 'Keys to press now.' }),
  })
  .meta({ id: 'SipCallPatch' });

export const sipCallTransferInput = z
  .discriminatedUnion('kind', [
    z.strictObject({
      kind: z.literal('blind'),
      to: z
        .string()
        .min(1)
        .max(512)
        .meta({ description: 'A SIP address, an account, or a number where the call goes through a trunk.' }),
    }),
    z.strictObject({
      kind: z.literal('attended'),
      with: itemId.meta({ description: 'Id of another answered call, of any room: the phone takes its place.' }),
    }),
  ])
  .meta({ id: 'SipCallTransferInput' });

export const sipCallMoveInput = z
  .strictObject({ room: roomParams.shape.room.meta({ description: 'Name or id of the room that it goes to.' }) })
  .meta({ id: 'SipCallMoveInput' });

export const transferWait = z.object({
  wait: z.coerce
    .number()
    .int()
    .min(0)
    .max(60)
    .default(0)
    .meta({ description: 'Seconds to wait for what comes of it.' }),
});

export type SipCallResource = z.output<typeof sipCallSchema>;
export type SipCallInput = z.input<typeof sipCallInput>;
export type SipCallPatch = z.input<typeof sipCallPatch>;
export type SipCallTransferInput = z.input<typeof sipCallTransferInput>;
