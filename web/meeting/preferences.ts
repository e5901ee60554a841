// Owns: what a participant need not choose twice. May import: ui/stored.
import { readStored, writeStored } from '../ui/stored.ts';

export interface Preferences {
  readonly name: string;
  /** Base64 of a JPEG. */
  readonly avatar: string | undefined;
  readonly cameraId: string | undefined;
  readonly microphoneId: string | undefined;
  readonly speakerId: string | undefined;
  readonly isCameraOn: boolean;
  readonly isMicrophoneOn: boolean;
}

const defaults: Preferences = {
  name: '',
  avatar: undefined,
  cameraId: undefined,
  microphoneId: undefined,
  speakerId: undefined,
  isCameraOn: true,
  isMicrophoneOn: true,
};

export function readPreferences(): Preferences {
  try {
    return { ...defaults, ...(JSON.parse(readStored('local', 'preferences') ?? '{}') as Partial<Preferences>) };
  } catch {
    return defaults;
  }
}

export function writePreferences(change: Partial<Preferences>): void {
  writeStored('local', 'preferences', JSON.stringify({ ...readPreferences(), ...change }));
}
