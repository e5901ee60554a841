// Owns: the HTTP API of bridges between rooms as typed calls. May import: types of the API contract.
import type { BridgeInput, BridgePatch, BridgeResource } from '#api/contract.ts';
import type { ApiDoor } from './sip-api.ts';

export class BridgeApi {
  readonly #door: ApiDoor;

  constructor(door: ApiDoor) {
    this.#door = door;
  }

  list(room: string): Promise<BridgeResource[]> {
    return this.#door.list(`rooms/${encodeURIComponent(room)}/bridges`);
  }

  create(room: string, input: BridgeInput): Promise<BridgeResource> {
    return this.#door.call('POST', `rooms/${encodeURIComponent(room)}/bridges`, input);
  }

  patch(room: string, id: string, patch: BridgePatch): Promise<BridgeResource> {
    return this.#door.call('PATCH', `rooms/${encodeURIComponent(room)}/bridges/${encodeURIComponent(id)}`, patch);
  }

  delete(room: string, id: string): Promise<void> {
    return this.#door.call('DELETE', `rooms/${encodeURIComponent(room)}/bridges/${encodeURIComponent(id)}`);
  }
}
