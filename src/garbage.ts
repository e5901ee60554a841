// Owns: how the garbage of the control process is collected. May import: node's v8.
import { setFlagsFromString } from 'node:v8';

/**
 * What is young is collected by one thread. With the four that V8 takes by itself they spend more on sharing the work than
 * it is worth, since little of it survives: 7 % of the CPU of a call's signalling (bench/sip.ts), and on a busy machine longer pauses.
 */
export function collectByOneThread(): void {
  setFlagsFromString('--no-parallel-scavenge');
}
