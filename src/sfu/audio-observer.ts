// Owns: audio levels and the dominant speaker of one room, by mediasoup's observers on its main router.
import type { types } from 'mediasoup';
import type { Lease, RoomNode } from './room-node.ts';
import { SpeakerChoice, type SpeakerLevel, silenceMs } from './speaker-choice.ts';

/** The level observer wants 10 packets in an interval to count a stream: 15 come at 20 ms each. */
const intervalMs = 300;
/** Quiet speech is around -50; noise gates of browsers leave -70 and less. */
const thresholdDbov = -60;
const maxLevels = 16;

export interface AudioObserverListener {
  speakerChanged(producerId: string | null): void;
  levelsMeasured(levels: readonly SpeakerLevel[]): void;
}

interface NativeObservers {
  readonly levels: types.AudioLevelObserver;
  readonly speaker: types.ActiveSpeakerObserver;
}

export class AudioObserver {
  readonly #node: RoomNode;
  readonly #listener: AudioObserverListener;
  readonly #choice = new SpeakerChoice();
  readonly #leases = new Map<string, Promise<Lease<types.Producer>>>();
  /** Id in the room by id on the main router; they differ for what is piped there. */
  readonly #ids = new Map<string, string>();
  #observers: Promise<NativeObservers> | undefined;
  #silenceTimer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(node: RoomNode, listener: AudioObserverListener) {
    this.#node = node;
    this.#listener = listener;
  }

  /** Once per producer; observing it again changes nothing. */
  async observe(producerId: string, lease: () => Promise<Lease<types.Producer>>): Promise<void> {
    const known = this.#leases.get(producerId);
    const leasing = known ?? this.#add(producerId, lease);
    if (!known) this.#leases.set(producerId, leasing);
    await leasing;
  }

  /** The producer has ended. */
  forget(producerId: string): void {
    const leasing = this.#leases.get(producerId);
    if (!leasing) return;
    this.#leases.delete(producerId);
    leasing.then(
      ({ native, release }) => {
        this.#ids.delete(native.id);
        release();
      },
      () => undefined, // it was never observed
    );
    this.#change(() => this.#choice.forget(producerId));
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#silenceTimer);
  }

  async #add(producerId: string, lease: () => Promise<Lease<types.Producer>>): Promise<Lease<types.Producer>> {
    let leased: Lease<types.Producer> | undefined;
    try {
      this.#observers ??= this.#create();
      const { levels, speaker } = await this.#observers;
      leased = await lease();
      this.#ids.set(leased.native.id, producerId);
      await levels.addProducer({ producerId: leased.native.id });
      await speaker.addProducer({ producerId: leased.native.id });
      return leased;
    } catch (thrown) {
      leased?.release();
      this.#leases.delete(producerId);
      throw thrown;
    }
  }

  async #create(): Promise<NativeObservers> {
    const { router } = this.#node;
    const [levels, speaker] = await Promise.all([
      router.createAudioLevelObserver({ interval: intervalMs, threshold: thresholdDbov, maxEntries: maxLevels }),
      router.createActiveSpeakerObserver({ interval: intervalMs }),
    ]);
    levels.on('volumes', (volumes) => this.#onVolumes(volumes));
    levels.on('silence', () => this.#onSilence());
    speaker.on('dominantspeaker', ({ producer }) => {
      const producerId = this.#ids.get(producer.id);
      if (producerId !== undefined) this.#change(() => this.#choice.onDominant(producerId, performance.now()));
    });
    return { levels, speaker };
  }

  #onVolumes(volumes: readonly types.AudioLevelObserverVolume[]): void {
    const levels = volumes.flatMap(({ producer, volume }) => {
      const producerId = this.#ids.get(producer.id);
      return producerId === undefined ? [] : [{ producerId, levelDbov: volume }];
    });
    if (levels.length === 0) return;
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = undefined;
    this.#change(() => this.#choice.onLevels(levels, performance.now()));
    this.#listener.levelsMeasured(levels);
  }

  #onSilence(): void {
    this.#listener.levelsMeasured([]);
    clearTimeout(this.#silenceTimer);
    this.#silenceTimer = setTimeout(() => this.#change(() => this.#choice.onSilence()), silenceMs).unref();
  }

  #change(action: () => void): void {
    if (this.#isClosed) return;
    const before = this.#choice.current;
    action();
    if (this.#choice.current !== before) this.#listener.speakerChanged(this.#choice.current);
  }
}
