// Owns: this participant's camera, microphone and loudspeaker, in a room or not. May import: client, signals.
import { computed, signal } from '@preact/signals';
import { ClientError, openCamera, openMicrophone } from '../client/index.ts';
import { watchLevel } from './level-meter.ts';
import { type Preferences, readPreferences, writePreferences } from './preferences.ts';

export interface Input {
  readonly isOn: boolean;
  /** Opening it: the browser may be asking the user. */
  readonly isBusy: boolean;
  /** Of the microphone it stays while muted; of the camera it goes, and its light with it. */
  readonly track: MediaStreamTrack | undefined;
  readonly error: ClientError | undefined;
}

export type InputKind = 'camera' | 'microphone';

export interface Device {
  readonly id: string;
  readonly label: string;
}

const off: Input = { isOn: false, isBusy: false, track: undefined, error: undefined };

export class Studio {
  readonly camera = signal<Input>(off);
  readonly microphone = signal<Input>(off);
  readonly cameras = signal<readonly Device[]>([]);
  readonly microphones = signal<readonly Device[]>([]);
  readonly speakers = signal<readonly Device[]>([]);
  readonly speakerId = signal<string | undefined>(undefined);
  /** 0..1, of what the microphone hears, also while muted. */
  readonly level = signal(0);
  /** A rear camera is shown as it sees, any other as a mirror. */
  readonly isMirrored = computed(() => this.camera.value.track?.getSettings().facingMode !== 'environment');
  #preferences: Preferences = readPreferences();
  #endMeter: (() => void) | undefined;
  #cameraRun = 0;
  #microphoneRun = 0;

  constructor() {
    this.speakerId.value = this.#preferences.speakerId;
    globalThis.navigator?.mediaDevices?.addEventListener('devicechange', () => void this.listDevices());
  }

  /** As the user had it the last time. What cannot be opened is off, with the reason; this never throws. */
  async open(): Promise<void> {
    const { isCameraOn, isMicrophoneOn } = this.#preferences;
    await Promise.all([isMicrophoneOn && this.setMicrophone(true), isCameraOn && this.setCamera(true)]);
    await this.listDevices();
  }

  /** @returns the track that is on now; undefined when it is off or could not be opened */
  async setCamera(isOn: boolean): Promise<MediaStreamTrack | undefined> {
    const run = ++this.#cameraRun;
    const before = this.camera.value.track;
    this.#remember({ isCameraOn: isOn });
    if (!isOn) {
      before?.stop();
      this.camera.value = off;
      return undefined;
    }
    if (before && this.camera.value.isOn) return before;
    return this.#run('camera', () => run === this.#cameraRun);
  }

  /** Muting is the publication's business; this opens the device and remembers the wish. */
  async setMicrophone(isOn: boolean): Promise<MediaStreamTrack | undefined> {
    const run = ++this.#microphoneRun;
    const { track } = this.microphone.value;
    this.#remember({ isMicrophoneOn: isOn });
    if (track && track.readyState === 'live') {
      track.enabled = isOn;
      this.microphone.value = { ...this.microphone.value, isOn, error: undefined };
      return isOn ? track : undefined;
    }
    if (!isOn) {
      this.microphone.value = off;
      return undefined;
    }
    return this.#run('microphone', () => run === this.#microphoneRun);
  }

  /** @returns the track of the other device, if that kind is on */
  async choose(kind: InputKind, deviceId: string): Promise<MediaStreamTrack | undefined> {
    this.#remember(kind === 'camera' ? { cameraId: deviceId } : { microphoneId: deviceId });
    const input = kind === 'camera' ? this.camera : this.microphone;
    const { isOn, track } = input.value;
    if (!isOn && !track) return undefined;
    const run = kind === 'camera' ? ++this.#cameraRun : ++this.#microphoneRun;
    // Phones cannot open two cameras at once.
    track?.stop();
    const opened = await this.#run(kind, () => run === (kind === 'camera' ? this.#cameraRun : this.#microphoneRun));
    if (opened && !isOn) {
      opened.enabled = false;
      input.value = { ...input.value, isOn: false };
    }
    return opened;
  }

  /** For who may not publish: closes the device without forgetting that it is wanted. */
  release(kind: InputKind): void {
    const input = kind === 'camera' ? this.camera : this.microphone;
    if (kind === 'camera') this.#cameraRun += 1;
    else this.#microphoneRun += 1;
    input.peek().track?.stop();
    if (kind === 'microphone') this.#endMeter?.();
    input.value = off;
  }

  chooseSpeaker(deviceId: string): void {
    this.speakerId.value = deviceId;
    this.#remember({ speakerId: deviceId });
  }

  chosenId(kind: InputKind): string | undefined {
    const { track } = kind === 'camera' ? this.camera.value : this.microphone.value;
    const wanted = kind === 'camera' ? this.#preferences.cameraId : this.#preferences.microphoneId;
    return track?.getSettings().deviceId ?? wanted;
  }

  async listDevices(): Promise<void> {
    const devices = await globalThis.navigator?.mediaDevices?.enumerateDevices().catch(() => []);
    const named = (kind: MediaDeviceKind, word: string): Device[] =>
      (devices ?? [])
        // Without a permission browsers show one device without a name.
        .filter((device) => device.kind === kind && device.deviceId !== '')
        .map(({ deviceId, label }, index) => ({ id: deviceId, label: label || `${word} ${index + 1}` }));
    this.cameras.value = named('videoinput', 'Camera');
    this.microphones.value = named('audioinput', 'Microphone');
    this.speakers.value = named('audiooutput', 'Loudspeaker');
  }

  close(): void {
    this.#cameraRun += 1;
    this.#microphoneRun += 1;
    this.#endMeter?.();
    this.#endMeter = undefined;
    this.camera.value.track?.stop();
    this.microphone.value.track?.stop();
    this.camera.value = off;
    this.microphone.value = off;
  }

  #remember(change: Partial<Preferences>): void {
    this.#preferences = { ...this.#preferences, ...change };
    writePreferences(change);
  }

  async #run(kind: InputKind, isCurrent: () => boolean): Promise<MediaStreamTrack | undefined> {
    const input = kind === 'camera' ? this.camera : this.microphone;
    input.value = { ...off, isBusy: true };
    try {
      const track = await this.#openPreferred(kind);
      if (!isCurrent()) {
        track.stop();
        return undefined;
      }
      input.value = { isOn: true, isBusy: false, track, error: undefined };
      track.addEventListener('ended', () => this.#lost(kind, track));
      if (kind === 'microphone') this.#measure(track);
      if (this.cameras.value.length + this.microphones.value.length > 0) void this.listDevices();
      return track;
    } catch (thrown) {
      if (!isCurrent()) return undefined;
      const error = thrown instanceof ClientError ? thrown : new ClientError('device_busy', String(thrown));
      input.value = { ...off, error };
      return undefined;
    }
  }

  /** The device of the last time may be unplugged: any other is better than none. */
  async #openPreferred(kind: InputKind): Promise<MediaStreamTrack> {
    const { cameraId, microphoneId } = this.#preferences;
    const open = (deviceId?: string) => (kind === 'camera' ? openCamera({ deviceId }) : openMicrophone({ deviceId }));
    const wanted = kind === 'camera' ? cameraId : microphoneId;
    if (!wanted) return open();
    return open(wanted).catch((thrown: unknown) => {
      if (thrown instanceof ClientError && thrown.code === 'permission_denied') throw thrown;
      return open();
    });
  }

  #lost(kind: InputKind, track: MediaStreamTrack): void {
    const input = kind === 'camera' ? this.camera : this.microphone;
    if (input.value.track !== track) return;
    const error = new ClientError('no_device', `Your ${kind} was unplugged or taken away.`);
    input.value = { ...off, error };
  }

  #measure(track: MediaStreamTrack): void {
    this.#endMeter?.();
    const end = watchLevel(track, (level) => {
      this.level.value = level;
    });
    this.#endMeter = () => {
      end();
      this.level.value = 0;
    };
    track.addEventListener('ended', () => this.#endMeter?.());
  }
}
