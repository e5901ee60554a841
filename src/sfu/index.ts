// Owns: the door of this part: SfuPort on mediasoup, with its workers, rooms and transports behind it.
// May import: core, config, mediasoup.
export { createSfu, type Sfu } from './sfu-worker-pool.ts';
