// Owns: the part of the configuration that is about recordings. May import: zod.
import { z } from 'zod';
import { milliseconds } from './values.ts';

const s3 = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .describe('https://s3.eu-central-1.amazonaws.com, or of what speaks S3 too.'),
  region: z.string().default('us-east-1').describe('As its signatures want it.'),
  bucket: z.string().min(1).describe('It has to be there.'),
  prefix: z.string().default('').describe('In front of the names of files; with a slash at its end it is a folder.'),
  accessKeyId: z.string().min(1).describe('Of a user that may write there.'),
  secretAccessKey: z.string().min(1).describe('Its secret.'),
  hasPathStyle: z.boolean().default(true).describe('false: the bucket is part of the host name.'),
  partBytes: z
    .int()
    .min(5 * 1024 * 1024)
    .max(1024 * 1024 * 1024)
    .default(16 * 1024 * 1024)
    .describe('Larger files are sent in pieces of this size.'),
  isUsual: z.boolean().default(true).describe('Uploads recordings that do not say whether they want it.'),
  deletesLocal: z
    .boolean()
    .default(false)
    .describe('Deletes the file here once it is there, unless it says otherwise.'),
});

export const recordings = z.strictObject({
  folder: z.string().default('recordings').describe('Below the data folder, or absolute.'),
  format: z.enum(['mp4', 'mkv', 'webm']).default('mp4').describe('Of recordings that name none.'),
  fileName: z
    .string()
    .default('{room}/{date}/{time}-{track}-{part}')
    .describe('Without the ending: {room} {id} {name} {track} {part} {date} {time}, and "/" for folders.'),
  minFreeBytes: z
    .int()
    .min(0)
    .default(1_000_000_000)
    .describe('Nothing is recorded with less free than that, and what records is ended.'),
  maxPerRoom: z.int().positive().default(4).describe('Recordings of one room at once.'),
  maxDurationMs: milliseconds.default(43_200_000).describe('A recording ends by itself after so much.'),
  retentionMs: milliseconds.optional().describe('Recordings are deleted so long after their end; never unless said.'),
  maxDiskShare: z
    .number()
    .min(0.01)
    .max(1)
    .default(0.8)
    .describe('Of the disk, for all recordings; the oldest are deleted beyond it, never the newest.'),
  s3: s3.optional().describe('Where finished recordings are uploaded to.'),
});

export type RecordingsConfig = z.output<typeof recordings>;
export type S3Config = z.output<typeof s3>;
