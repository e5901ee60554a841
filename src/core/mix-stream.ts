// Owns: the one stream of a room's mix, for as many as want it. May import: core only.
import type { Mix } from './mix.ts';
import type { Publication } from './track.ts';

const users = new WeakMap<Mix, number>();

export interface MixStream {
  /** Another after the room's media was lost; the mix publishes it under the same id. */
  readonly publication: Publication;
  close(): void;
}

/** Published with the first who asks, gone with the last who closes. @throws GatewayError `closed`, `media_lost` */
export async function openMixStream(mix: Mix): Promise<MixStream> {
  users.set(mix, (users.get(mix) ?? 0) + 1);
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    const left = (users.get(mix) ?? 1) - 1;
    users.set(mix, left);
    if (left === 0 && !mix.isClosed) mix.unpublishStream();
  };
  try {
    return { publication: await mix.publishStream(), close };
  } catch (error) {
    close();
    throw error;
  }
}
