// Owns: what a phone in a room is told by voice, and when.
import type { Leg } from '#core/leg.ts';
import type { PromptName } from '#core/leg-media.ts';
import type { Participant } from '#core/participant.ts';
import type { Publication } from '#core/track.ts';

export interface AnnouncerOptions {
  readonly participant: Participant;
  readonly leg: Leg;
  /** Said first. */
  readonly greeting: readonly PromptName[];
  /** false: it is not told on coming in that nobody else is there. */
  readonly tellsAlone?: boolean;
}

/** Who waits longer than this many announcements hears only the last. */
const maxWaiting = 4;

/** Lives as long as its participant. One announcement after the other; what nobody needs to hear any more is left out. */
export class Announcer {
  readonly #participant: Participant;
  readonly #leg: Leg;
  readonly #waiting: PromptName[] = [];
  #isPlaying = false;
  #isMuted = false;

  constructor({ participant, leg, greeting, tellsAlone = true }: AnnouncerOptions) {
    this.#participant = participant;
    this.#leg = leg;
    const { events } = participant.room;
    events.on('publicationUpdated', this.#reviewMute);
    events.on('recordingChanged', this.#tellRecording);
    participant.events.on('closed', () => {
      this.#waiting.length = 0;
      events.off('publicationUpdated', this.#reviewMute);
      events.off('recordingChanged', this.#tellRecording);
    });
    for (const prompt of greeting) this.say(prompt);
    if (participant.room.isRecorded) this.say('recording_on');
    if (tellsAlone && this.#isAlone) this.say('you_are_alone');
  }

  /** Muted and unmuted cancel each other out while neither has been said. */
  say(prompt: PromptName): void {
    if (this.#participant.isClosed) return;
    const opposite = opposites[prompt];
    const at = opposite ? this.#waiting.indexOf(opposite) : -1;
    if (at >= 0) this.#waiting.splice(at, 1);
    else if (!this.#waiting.includes(prompt)) this.#waiting.push(prompt);
    this.#waiting.splice(0, this.#waiting.length - maxWaiting);
    if (!this.#isPlaying) void this.#play();
  }

  readonly #tellRecording = (isRecorded: boolean) => this.say(isRecorded ? 'recording_on' : 'recording_off');

  async #play(): Promise<void> {
    this.#isPlaying = true;
    try {
      for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
        if (this.#leg.isClosed || this.#participant.isClosed) return;
        await this.#leg.play(next);
      }
    } finally {
      this.#isPlaying = false;
    }
  }

  readonly #reviewMute = ({ participant, kind, isMutedByModerator }: Publication) => {
    if (participant !== this.#participant || kind !== 'audio' || isMutedByModerator === this.#isMuted) return;
    this.#isMuted = isMutedByModerator;
    this.say(isMutedByModerator ? 'muted' : 'unmuted');
  };

  get #isAlone(): boolean {
    return !this.#participant.room.hasOtherPeople(this.#participant);
  }
}

const opposites: Partial<Record<PromptName, PromptName>> = {
  muted: 'unmuted',
  unmuted: 'muted',
  recording_on: 'recording_off',
  recording_off: 'recording_on',
};
