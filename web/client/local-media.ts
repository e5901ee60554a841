// Owns: asking the browser for devices, and saying in words why it gave none. May import: ./errors.
import { ClientError } from './errors.ts';

export interface OpenCameraOptions {
  readonly deviceId?: string | undefined;
  /** Wanted height, pixels; the camera's nearest if it has not that. Default 720. */
  readonly heightPx?: number;
  /** `user` for the front camera of a phone, `environment` for the other. */
  readonly facingMode?: 'user' | 'environment';
}

/** @throws ClientError `permission_denied`, `no_device`, `device_busy`, `unsupported_browser` */
export async function openCamera(options: OpenCameraOptions = {}): Promise<MediaStreamTrack> {
  const { deviceId, heightPx = 720, facingMode } = options;
  const video: MediaTrackConstraints = {
    height: { ideal: heightPx },
    width: { ideal: Math.round((heightPx * 16) / 9) },
    frameRate: { ideal: 30, max: 30 },
    ...(deviceId ? { deviceId: { exact: deviceId } } : facingMode && { facingMode }),
  };
  const track = await open('camera', { video });
  track.contentHint = 'motion';
  return track;
}

/** @throws ClientError `permission_denied`, `no_device`, `device_busy`, `unsupported_browser` */
export function openMicrophone(options: { deviceId?: string | undefined } = {}): Promise<MediaStreamTrack> {
  const audio: MediaTrackConstraints = {
    echoCancellation: true,
    noiseSuppression: true,
    autoGainControl: true,
    ...(options.deviceId && { deviceId: { exact: options.deviceId } }),
  };
  return open('microphone', { audio });
}

export interface ScreenTracks {
  readonly video: MediaStreamTrack;
  /** Where the user shares the sound of a tab or the system. */
  readonly audio: MediaStreamTrack | undefined;
}

/** @throws ClientError `permission_denied` (also when the user closes the picker), `unsupported_browser` */
export async function openScreen(options: { hasAudio?: boolean } = {}): Promise<ScreenTracks> {
  // Phones have no screen capture in the browser.
  if (!canShareScreen()) throw new ClientError('unsupported_browser', 'This browser cannot share a screen.');
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      video: { frameRate: { ideal: 15, max: 30 } },
      // Processing meant for voices spoils music.
      audio:
        options.hasAudio === false
          ? false
          : { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    const [video] = stream.getVideoTracks();
    if (!video) throw new ClientError('no_device', 'The browser gave no picture of the screen.');
    video.contentHint = 'detail';
    return { video, audio: stream.getAudioTracks()[0] };
  } catch (thrown) {
    throw mediaError('screen', thrown);
  }
}

export function canShareScreen(): boolean {
  return typeof globalThis.navigator?.mediaDevices?.getDisplayMedia === 'function';
}

async function open(what: Device, constraints: MediaStreamConstraints): Promise<MediaStreamTrack> {
  if (!globalThis.navigator?.mediaDevices) {
    throw new ClientError(
      'unsupported_browser',
      'Browsers give cameras and microphones to secure pages only. Open this page by https:// or on localhost.',
    );
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia(constraints);
    const [track] = stream.getTracks();
    if (!track) throw new ClientError('no_device', `The browser gave no ${what}.`);
    return track;
  } catch (thrown) {
    throw mediaError(what, thrown);
  }
}

type Device = 'camera' | 'microphone' | 'screen';

/** @see W3C mediacapture-streams §10.3.1 and screen-capture §5.1 for the names of the failures */
export function mediaError(what: Device, thrown: unknown): ClientError {
  if (thrown instanceof ClientError) return thrown;
  const name = thrown instanceof Error ? thrown.name : '';
  const options = { cause: thrown };
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return what === 'screen'
        ? new ClientError('permission_denied', 'The screen was not shared.', options)
        : new ClientError(
            'permission_denied',
            `The browser may not use your ${what}. Allow it by the icon in the address bar, then try again.`,
            options,
          );
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new ClientError('no_device', `No ${what} was found. Plug one in, or go on without.`, options);
    case 'NotReadableError':
    case 'AbortError':
      return new ClientError('device_busy', `Your ${what} is in use by another program or has failed.`, options);
    default:
      return new ClientError('device_busy', `Your ${what} could not be opened.`, options);
  }
}
