// Owns: how the garbage of the control process is collected. May import: node's v8.
import { setFlagsFromString } from 'node:v8';

/**
 * For a process whose objects mostly live as long as a request or a call.
 *
 * What is young is collected by one thread. With the four that V8 takes by itself they spend more on sharing the work than
 * it is worth, since little of it survives: 7 % of the CPU of a call's signalling (bench/sip.ts), and on a busy machine longer pauses.
 *
 * And all begins young. V8 would put what mostly survived (a SIP transaction, which is kept for 32 s) among the old from the
 * start, and with it whatever is hung on that: once such a one has died, all that it ever led to, whole messages, is carried
 * on as alive until the next collection of everything. That was three quarters of what survived of a call, 20 kB.
 */
export function collectShortLives(): void {
  setFlagsFromString('--no-parallel-scavenge');
  setFlagsFromString('--no-allocation-site-pretenuring');
}
