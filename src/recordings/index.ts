// Owns: what recordings need of the world: their folder, the process that finishes files, S3. May import: core, config,
// media/finish-protocol, aws4fetch.
import { resolve } from 'node:path';
import type { RecordingsConfig } from '#config/recordings.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import { checkTemplate } from '#core/recording-template.ts';
import { Recordings, type RecordingsOptions } from '#core/recordings.ts';
import { RecordingFolder } from './files.ts';
import { S3Uploader } from './s3.ts';

export interface RecordingParts {
  readonly all: Recordings;
  readonly files: RecordingFolder;
  /** Ends those that run, and waits a little for their files; what is left is finished after the next start. */
  close(reason?: CloseReason): Promise<CloseReason>;
}

/** Of a gateway that is being ended: more than most files need. */
const settleMs = 8_000;

export async function createRecordings(
  options: Pick<RecordingsOptions, 'store' | 'rooms' | 'media' | 'views' | 'log'>,
  config: RecordingsConfig,
  dataFolder: string,
): Promise<RecordingParts> {
  checkTemplate(config.fileName);
  const { minFreeBytes, maxPerRoom, maxDurationMs, retentionMs, maxDiskShare, s3 } = config;
  const files = new RecordingFolder({ folder: resolve(dataFolder, config.folder), minFreeBytes, log: options.log });
  const all = await Recordings.create({
    ...{ ...options, files, maxPerRoom, maxDurationMs },
    uploader: s3 && new S3Uploader(s3),
    retention: { maxAgeMs: retentionMs, maxDiskShare },
  });
  const close = async (reason?: CloseReason) => {
    const late = new Promise<void>((wake) => setTimeout(wake, settleMs).unref());
    await Promise.race([all.stopAll('gateway_ended', 'The gateway was ended.'), late]);
    await files.finisher.close(reason);
    return all.close(reason);
  };
  return { all, files, close };
}
