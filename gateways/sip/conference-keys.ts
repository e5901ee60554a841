// Owns: what a phone in a room does by pressing keys: mutes itself, raises its hand, is heard louder, asks how many are there.
import type { SipConfig } from '#config/schema.ts';
import type { PromptName } from '#core/leg-media.ts';
import type { Participant } from '#core/participant.ts';

export interface ConferenceKeysOptions {
  readonly keys: SipConfig['keys'];
  readonly participant: Participant;
  /** Of the call: the API shows what they do. */
  readonly call: {
    readonly isMuted: boolean;
    readonly gainDb: number;
    setMuted(isMuted: boolean): void;
    setGain(gainDb: number): void;
  };
  readonly say: (prompt: PromptName) => void;
}

/** Keys that belong together come within this. */
const pairMs = 3_000;
const stepDb = 3;
const maxGainDb = 15;

export class ConferenceKeys {
  readonly #options: ConferenceKeysOptions;
  readonly #nowMs: () => number;
  #starAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ConferenceKeysOptions, nowMs: () => number = () => performance.now()) {
    this.#options = options;
    this.#nowMs = nowMs;
  }

  press(key: string): void {
    const nowMs = this.#nowMs();
    const isSecond = nowMs - this.#starAtMs < pairMs;
    this.#starAtMs = key === '*' ? nowMs : Number.NEGATIVE_INFINITY;
    const { keys, participant } = this.#options;
    if (!isSecond || key === '*' || !keys.isEnabled || participant.isClosed) return;
    const pressed = `*${key}`;
    if (pressed === keys.mute) this.#mute();
    else if (pressed === keys.hand) this.#raiseHand();
    else if (pressed === keys.louder) this.#turn(stepDb);
    else if (pressed === keys.quieter) this.#turn(-stepDb);
    else if (pressed === keys.count) this.#count();
  }

  /** The call says what it is then. */
  #mute(): void {
    const { call } = this.#options;
    call.setMuted(!call.isMuted);
  }

  #raiseHand(): void {
    const { participant, say } = this.#options;
    const isHandRaised = !participant.isHandRaised;
    participant.update({ isHandRaised });
    say(isHandRaised ? 'hand_raised' : 'hand_lowered');
  }

  #turn(byDb: number): void {
    const { call, say } = this.#options;
    call.setGain(Math.max(-maxGainDb, Math.min(maxGainDb, call.gainDb + byDb)));
    say(byDb > 0 ? 'louder' : 'quieter');
  }

  #count(): void {
    const { participant, say } = this.#options;
    const people = participant.room.visibleParticipants.filter(
      ({ kind }) => kind === 'webrtc' || kind === 'sip',
    ).length;
    say('people_in_room');
    say(numberPrompt(people));
  }
}

function numberPrompt(count: number): PromptName {
  return count >= 1 && count <= 20 ? (`n${count}` as PromptName) : 'n_more';
}
