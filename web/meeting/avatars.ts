// Owns: pictures that people are shown by while they send no video, as the server has them.
// May import: ui.
import { signal } from '@preact/signals';
import type { ParticipantInfo } from '#signalling/protocol.ts';

export class Avatars {
  /** Object URLs by avatar id; an empty one while it is on its way or cannot be had. */
  readonly #urls = signal<ReadonlyMap<string, string>>(new Map());
  readonly #room: string;
  readonly #token: () => Promise<string> | undefined;

  constructor(room: string, token: () => Promise<string> | undefined) {
    this.#room = room;
    this.#token = token;
  }

  /** Loads it the first time that somebody is to be shown by it. */
  urlOf({ id, avatarId }: ParticipantInfo): string | undefined {
    if (avatarId === null) return undefined;
    const known = this.#urls.value.get(avatarId);
    if (known === undefined) void this.#load(id, avatarId);
    return known || undefined;
  }

  async #load(participantId: string, avatarId: string): Promise<void> {
    // Not while something is being drawn by it.
    await Promise.resolve();
    if (this.#urls.peek().has(avatarId)) return;
    this.#note(avatarId, '');
    try {
      const path = `/api/rooms/${encodeURIComponent(this.#room)}/participants/${participantId}/avatar`;
      const answer = await fetch(path, { headers: { authorization: `Bearer ${(await this.#token()) ?? ''}` } });
      if (answer.ok) this.#note(avatarId, URL.createObjectURL(await answer.blob()));
    } catch {
      // Without network there are initials.
    }
  }

  #note(avatarId: string, url: string): void {
    this.#urls.value = new Map(this.#urls.value).set(avatarId, url);
  }
}
