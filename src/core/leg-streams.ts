// Owns: what of one leg is published in the room: its voice, and for a recording what it says and hears. May import: core
// only.
import type { Participant } from './participant.ts';
import type { SfuPlainTransport } from './ports.ts';
import type { Publication, PublicationOptions } from './track.ts';

export type LegTrack = Pick<PublicationOptions, 'rtpParameters' | 'timeline'>;

interface Publishing {
  readonly by: Participant;
  readonly transport: SfuPlainTransport;
  readonly track: LegTrack;
  /** Still, once it is there. */
  readonly isWanted: () => boolean;
}

export class LegStreams {
  readonly #onChanged: () => void;
  #voice: Publication | undefined;
  #tap: Publication | undefined;

  /** @param onChanged the voice is there, watched or muted otherwise */
  constructor(onChanged: () => void) {
    this.#onChanged = onChanged;
  }

  get voice(): Publication | undefined {
    return this.#voice;
  }

  get tap(): Publication | undefined {
    return this.#tap;
  }

  async publishVoice(publishing: Publishing): Promise<void> {
    const voice = await publish(publishing, this.#voice, { kind: 'audio', source: 'microphone' });
    if (!voice) return;
    this.#voice = voice;
    voice.events.on('updated', this.#onChanged);
    voice.events.on('watchedChanged', this.#onChanged);
    this.#onChanged();
  }

  unpublishVoice(): void {
    void this.#voice?.close('requested');
  }

  /** Another participant's is another stream. */
  forgetVoice(): void {
    this.unpublishVoice();
    this.#voice = undefined;
  }

  async publishTap(publishing: Publishing): Promise<void> {
    this.#tap = await publish(publishing, this.#tap, { kind: 'audio', source: 'other', label: 'Call' });
  }

  unpublishTap(): void {
    void this.#tap?.close('requested');
    this.#tap = undefined;
  }
}

/** Under the id that it had before with the same participant. */
async function publish(
  { by, transport, track, isWanted }: Publishing,
  past: Publication | undefined,
  what: Pick<PublicationOptions, 'kind' | 'source' | 'label'>,
): Promise<Publication | undefined> {
  const id = past?.participant === by ? past.id : undefined;
  await past?.close('replaced');
  const publication = await by.publish(transport, { ...track, ...what, id });
  if (isWanted()) return publication;
  await publication.close('requested');
  return undefined;
}
