// Owns: what a recording is to be, from what was asked and what is usual. Pure. May import: core, config's types, ./contract.
import type { z } from 'zod';
import type { Config } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import { type RecordFormat, recordCodecs, recordSound } from '#core/record-sink.ts';
import { type CallRecordingWish, type RecordOption, wishOf } from '#core/recorded-call.ts';
import type { RecordingSettings, RecordingSource } from '#core/recording-record.ts';
import { checkTemplate } from '#core/recording-template.ts';
import type { recordingInput } from './contract.ts';

/** @throws GatewayError `unprocessable` for what a format cannot hold */
export function settingsFrom(
  input: z.output<typeof recordingInput>,
  defaults: Config['recordings'],
): RecordingSettings {
  const { audio, video, fileName, upload, deleteAfterUpload, source, ...rest } = input;
  const isForSound = (format: RecordFormat) =>
    recordCodecs[format].every((codec) => codec === 'aac' || codec === 'opus');
  const usual = video === 'off' ? 'm4a' : defaults.format;
  const format = input.format ?? usual;
  const audioCodec = input.audioCodec ?? recordSound[format];
  if (!recordCodecs[format].includes(audioCodec)) {
    throw new GatewayError('unprocessable', `A ${format} file cannot hold ${audioCodec}.`);
  }
  const wished = isForSound(format) ? 'off' : (video ?? 'auto');
  if (audio === false && wished === 'off') throw new GatewayError('unprocessable', 'Nothing would be recorded.');
  return {
    ...rest,
    ...{ format, audioCodec, hasAudio: audio ?? true, video: wished },
    source: sourceFrom(source ?? { kind: 'room' }),
    template: fileName ?? defaults.fileName,
    isUploaded: upload ?? defaults.s3?.isUsual ?? false,
    deletesAfterUpload: deleteAfterUpload ?? defaults.s3?.deletesLocal ?? false,
  };
}

function sourceFrom(source: NonNullable<z.output<typeof recordingInput>['source']>): RecordingSource {
  if (source.kind === 'participant') return { kind: 'participant', participantId: source.participant };
  return source.kind === 'stream' ? { kind: 'stream', streamId: source.stream } : source;
}

/** @throws GatewayError as `settingsFrom()` */
export function callSettingsFrom(
  callId: string,
  { sound = 'stereo', ...input }: CallRecordingWish,
  defaults: Config['recordings'],
): RecordingSettings {
  return { ...settingsFrom({ ...input, video: 'off' }, defaults), source: { kind: 'call', callId, sound } };
}

/** What a rule, a trunk or a call says, before there is anything to record. @throws GatewayError as `settingsFrom()`; `invalid_request` (file name) */
export function assertRecordable(option: RecordOption | undefined, defaults: Config['recordings']): void {
  const wish = wishOf(option);
  if (!wish) return;
  const { template, isUploaded } = callSettingsFrom('', wish, defaults);
  checkTemplate(template);
  if (isUploaded && !defaults.s3) {
    throw new GatewayError('unprocessable', 'There is nowhere to upload to: recordings.s3 is not configured.');
  }
}
