// Owns: what makes of a room one sound and one picture: the legs of phones, views, avatars, bridges to other rooms. May import:
// everything, like app.ts, which uses it.
import type { Config } from '#config/schema.ts';
import { loadAvatars } from '#core/avatar-loading.ts';
import { Bridges } from '#core/bridges.ts';
import { type CloseReason, Owned } from '#core/lifecycle.ts';
import { NetPolicy } from '#core/net-policy.ts';
import type { Logger, MediaPort } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { StorePort } from '#core/store-port.ts';
import { Phones } from '#jobs/phones.ts';
import { Views } from '#jobs/views.ts';
import { AvatarFetcher } from '#wire/avatar-fetcher.ts';

export interface McuPartsOptions {
  readonly config: Pick<Config, 'rtp' | 'mix' | 'netPolicy'>;
  readonly rooms: Rooms;
  readonly store: StorePort;
  readonly media: MediaPort;
  readonly log: Logger;
}

export class McuParts extends Owned {
  readonly phones: Phones;
  readonly views: Views;
  readonly bridges: Bridges;
  readonly avatars: AvatarFetcher;

  constructor({ config, rooms, store, media, log }: McuPartsOptions) {
    super();
    const phones = new Phones({ media, rtp: config.rtp, mix: config.mix, log });
    this.phones = phones;
    this.views = new Views({ rooms, store, media, mixOf: (room) => phones.mixOf(room), log });
    const policy = new NetPolicy({ ...config.netPolicy, schemes: ['http', 'https'] });
    this.avatars = this.own(new AvatarFetcher({ policy }));
    this.signal.addEventListener('abort', loadAvatars(rooms, this.avatars, log), { once: true });
    this.bridges = this.own(new Bridges({ rooms, phones, views: this.views, log }));
  }

  /** What the API is built from. */
  get forApi() {
    return { views: this.views, bridges: this.bridges, avatars: this.avatars };
  }

  drain(): void {
    for (const part of [this.bridges, this.views, this.phones]) part.drain();
  }

  undrain(): void {
    for (const part of [this.bridges, this.views, this.phones]) part.undrain();
  }

  /** The bridges are gone by then. */
  protected override async onClose(reason: CloseReason): Promise<void> {
    await this.views.close(reason);
    await this.phones.close(reason);
  }
}
