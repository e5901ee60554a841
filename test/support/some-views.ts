// Views without media workers: they are asked for, and show nothing.

import type { Logger } from '#core/ports.ts';
import type { Rooms } from '#core/rooms.ts';
import type { StorePort } from '#core/store-port.ts';
import { Views } from '#jobs/views.ts';
import { FakeMedia } from './fake-media.ts';

export function someViews(parts: { rooms: Rooms; store: StorePort; log: Logger; media?: FakeMedia }): Views {
  const { media = new FakeMedia(), ...rest } = parts;
  return new Views({ ...rest, media, mixOf: () => Promise.reject(new Error('no phones here')) });
}
