// Owns: what of this process's memory is in use, as against what V8 keeps for later.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of objects and of buffers after a collection; it stops everything for some 100 ms. */
export async function usedBytes(): Promise<{ readonly heap: number; readonly buffers: number }> {
  // What is finalized by the first collection goes with the second.
  for (let i = 0; i < 2; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return { heap: heapUsed, buffers: external };
}
