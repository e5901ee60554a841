// Owns: recordings of rooms. May import: zod, core, ./pieces.
import { z } from 'zod';
import { tapSounds } from '#core/mix-messages.ts';
import { recordFormats } from '#core/record-sink.ts';
import { recordingReasons } from '#core/recording-record.ts';
import { templateWords } from '#core/recording-template.ts';
import { count, itemId, page, pageQuery, roomParams, shortText, time } from './pieces.ts';

export const recordingParams = z.object({ room: roomParams.shape.room, recording: itemId });
export const recordingPartParams = recordingParams.extend({
  part: z.coerce.number().int().min(1).max(1_000_000).meta({ description: 'Number of the part, from 1.' }),
});

export const downloadQuery = z.object({
  inline: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'true: to be shown by a player instead of saved.' }),
});

const source = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('room') }),
  z.strictObject({
    kind: z.literal('view'),
    view: z.string().min(1).max(64).meta({ description: 'Another view of the room than `common`.' }),
  }),
  z.strictObject({
    kind: z.literal('participant'),
    participant: z
      .string()
      .min(1)
      .max(128)
      .meta({ description: 'Its id, or its user, which stays when it comes back.' }),
  }),
  z.strictObject({ kind: z.literal('participants') }),
  z.strictObject({ kind: z.literal('stream'), stream: itemId.meta({ description: 'A stream that is being sent.' }) }),
  z.strictObject({ kind: z.literal('streams') }),
]);

const call = z.strictObject({
  kind: z.literal('call'),
  callId: z.string(),
  sound: z
    .enum(tapSounds)
    .meta({ description: '`stereo`: left what the phone says, right what it hears; `mixed`: both on both sides.' }),
});

const settings = {
  source: source.meta({
    description:
      '`room` as one sees and hears it, or as another `view` shows it; one `participant`, or all `participants`, each in files of its own; one `stream`, or all `streams`: a file for each camera, microphone and shared screen.',
  }),
  audio: z.boolean(),
  video: z.enum(['auto', 'copy', 'encode', 'off']).meta({
    description:
      'Of participants and streams: auto copies what the format can hold where its size does not change, and encodes the rest. A room is always encoded; off records sound alone.',
  }),
  format: z.enum(recordFormats),
  audioCodec: z.enum(['aac', 'opus']),
  fileName: z
    .string()
    .min(1)
    .max(200)
    .meta({
      description: `Without the ending; with ${templateWords.map((word) => `{${word}}`).join(' ')}, and "/" for folders.`,
      examples: ['{room}/{date}/{time}-{part}'],
    }),
  name: shortText.meta({ description: 'For people, and {name} in file names.' }),
  width: z.int().min(16).max(4_096).multipleOf(2).meta({ description: 'Of encoded pictures.' }),
  height: z.int().min(16).max(2_160).multipleOf(2),
  segmentMs: z
    .int()
    .min(2_000)
    .max(86_400_000)
    .meta({ description: 'A new part at the next key frame after so long.' }),
  segmentBytes: z.int().min(100_000).max(1e12).meta({ description: 'The same, by size.' }),
  maxDurationMs: z
    .int()
    .min(1_000)
    .max(7 * 86_400_000)
    .meta({ description: 'Ends by itself; pauses do not count.' }),
  upload: z.boolean().meta({ description: 'Brings finished parts to the S3 of the configuration.' }),
  deleteAfterUpload: z.boolean().meta({ description: 'And deletes them here.' }),
};

export const recordingInput = z
  .strictObject({
    source: settings.source.optional(),
    audio: settings.audio.optional(),
    video: settings.video.optional(),
    format: settings.format.optional(),
    audioCodec: settings.audioCodec.optional(),
    fileName: settings.fileName.optional(),
    name: settings.name.optional(),
    width: settings.width.optional(),
    height: settings.height.optional(),
    segmentMs: settings.segmentMs.optional(),
    segmentBytes: settings.segmentBytes.optional(),
    maxDurationMs: settings.maxDurationMs.optional(),
    upload: settings.upload.optional(),
    deleteAfterUpload: settings.deleteAfterUpload.optional(),
  })
  .meta({ id: 'RecordingInput', description: 'What is not said is as the configuration has it.' });

/** What there is to say of the sound of one call. */
export const callRecordingInput = recordingInput
  .omit({ source: true, audio: true, video: true, width: true, height: true })
  .extend({ sound: call.shape.sound.optional() })
  .meta({ id: 'CallRecordingInput', description: 'What is not said is as the configuration has it.' });

/** Of rules, trunks and calls that are made. */
export const recordOption = z.union([z.boolean(), callRecordingInput]).meta({
  description: 'Records calls, each by itself, from when they are in their room: true as usual, or as an object says.',
});

export const recordingPatch = z
  .strictObject({ isPaused: z.boolean().optional() })
  .meta({ id: 'RecordingPatch', description: 'A pause is left out of the file, which goes on where it was.' });

const uploadStatus = z
  .object({
    state: z.enum(['waiting', 'uploading', 'uploaded', 'failed']),
    attempts: count,
    sentBytes: z.number(),
    url: z.string().nullable(),
    message: z.string().nullable(),
  })
  .meta({ id: 'RecordingUpload' });

const partSchema = z
  .object({
    number: count,
    track: z.string().meta({ description: 'Whose: `room`, a view, a participant, or what of a participant.' }),
    participantId: z.string().nullable(),
    streamId: z.string().nullable(),
    fileName: z.string(),
    bytes: z.number(),
    durationMs: z.number(),
    startedAt: time,
    streams: z
      .array(
        z.object({
          kind: z.enum(['audio', 'video']),
          codec: z.string(),
          width: z.number().nullable(),
          height: z.number().nullable(),
        }),
      )
      .readonly(),
    isIndexed: z.boolean().meta({ description: 'false: it plays, but seeks badly: it could not be finished.' }),
    isLocal: z.boolean().meta({ description: 'It can be downloaded here.' }),
    downloadPath: z.string().nullable(),
    thumbnailPath: z.string().nullable(),
    upload: z.union([uploadStatus, z.null()]),
  })
  .meta({ id: 'RecordingPart' });

export const recordingSchema = z
  .object({
    id: z.string(),
    roomId: z.string(),
    roomName: z.string(),
    ...settings,
    source: z.discriminatedUnion('kind', [...source.options, call]),
    name: z.string().nullable(),
    width: z.number().nullable(),
    height: z.number().nullable(),
    segmentMs: z.number().nullable(),
    segmentBytes: z.number().nullable(),
    maxDurationMs: z.number().nullable(),
    state: z.enum(['starting', 'recording', 'paused', 'finalising', 'finished', 'failed']),
    reason: z.enum(recordingReasons).meta({ description: 'For programs.' }),
    message: z.string().meta({ description: 'For people.' }),
    since: time.meta({ description: 'In this state since.' }),
    startedAt: time,
    endedAt: time.nullable(),
    durationMs: z.number().meta({ description: 'Recorded so far, without pauses.' }),
    bytes: z.number().meta({ description: 'On the disk.' }),
    parts: z.array(partSchema).readonly().meta({
      description:
        'Those that are finished, in order. There are several where a limit was reached or a worker was lost.',
    }),
  })
  .meta({ id: 'Recording' });

export const recordingQuery = pageQuery.extend({ state: recordingSchema.shape.state.optional() });
export const recordingList = page(recordingSchema).meta({ id: 'RecordingList' });
export type RecordingResource = z.output<typeof recordingSchema>;
export type RecordingInput = z.input<typeof recordingInput>;
