// Owns: what is being played to one leg, and what comes of it. May import: core only.
import type { PromptName, SpokenPrompt } from './leg-media.ts';
import type { MixCommand } from './mix-messages.ts';

export class LegPlayback {
  readonly #legId: number;
  readonly #send: (command: MixCommand) => void;
  readonly #plays = new Map<number, (isWhole: boolean) => void>();
  #lastPlayId = 0;
  #music: { readonly prompts: readonly SpokenPrompt[]; readonly playId: number } | undefined;

  constructor(legId: number, send: (command: MixCommand) => void) {
    this.#legId = legId;
    this.#send = send;
  }

  /** @returns whether it was heard to its end */
  play(
    prompts: PromptName | readonly (PromptName | SpokenPrompt)[],
    language: string,
    isRepeated: boolean,
  ): Promise<boolean> {
    this.stop();
    const playId = ++this.#lastPlayId;
    const given = typeof prompts === 'string' ? [prompts] : prompts;
    const list = given.map((one) => (typeof one === 'string' ? { name: one } : one));
    this.#send({ type: 'playToLeg', legId: this.#legId, playId, prompts: list, language, isRepeated });
    if (isRepeated) this.#music = { prompts: list, playId };
    return new Promise((resolve) => this.#plays.set(playId, resolve));
  }

  stop(): void {
    this.#music = undefined;
    if (this.#plays.size === 0) return;
    this.#send({ type: 'stopPlaying', legId: this.#legId });
    this.#end();
  }

  /** Without a word to the mix: it is another, or the leg is over. */
  forget(): void {
    this.#music = undefined;
    this.#end();
  }

  /** What a worker that knows nothing has to go on with. */
  describe(language: string): MixCommand[] {
    return this.#music ? [{ type: 'playToLeg', legId: this.#legId, language, isRepeated: true, ...this.#music }] : [];
  }

  /** What was being played ended with its worker, but for music. */
  noteRestart(): void {
    const playId = this.#music?.playId;
    for (const [id, resolve] of [...this.#plays]) {
      if (id === playId) continue;
      this.#plays.delete(id);
      resolve(false);
    }
  }

  notePlayed(playId: number, isWhole: boolean): void {
    this.#plays.get(playId)?.(isWhole);
    this.#plays.delete(playId);
  }

  #end(): void {
    for (const resolve of this.#plays.values()) resolve(false);
    this.#plays.clear();
  }
}
