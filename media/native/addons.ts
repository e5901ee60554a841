// Owns: what media workers do cheaper in C, as far as set-up could compile it here (scripts/setup/native-addons.mjs).
import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

/** @returns undefined where it is not compiled, or for another system: all of them can be done without, at a higher price */
export function nativeAddon<Functions>(
  name: 'h264-encode' | 'planes' | 'udp-batch' | 'x264-encode',
): Functions | undefined {
  try {
    return load(`../../.cache/${name}.node`) as Functions;
  } catch {
    return undefined;
  }
}
