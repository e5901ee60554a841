// Owns: background images of views in the store, beside the rooms whose records name them. May import: core only.
import { randomText } from './ids.ts';
import type { StorePort } from './store-port.ts';

const collection = 'view-images';

export class ViewImages {
  readonly #store: StorePort;

  constructor(store: StorePort) {
    this.#store = store;
  }

  /** @returns its id */
  async put(image: Uint8Array): Promise<string> {
    const id = `VI_${randomText(12)}`;
    await this.#store.put(collection, id, { base64: Buffer.from(image).toString('base64') }, 0);
    return id;
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    const found = await this.#store.get<{ base64: string }>(collection, id);
    return found && Buffer.from(found.value.base64, 'base64');
  }

  async delete(id: string): Promise<void> {
    await this.#store.delete(collection, id);
  }
}
