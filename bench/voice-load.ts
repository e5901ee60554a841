// Owns: phones that only talk and listen: RTP from one socket for thousands of legs, by audio-mix-load.c (wants gcc).
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { VoiceEncoder } from '#media/av/voice-codecs.ts';
import { encodeG711 } from '#media/legs/g711.ts';
import { Downsampler } from '#media/legs/resample.ts';
import { decodeRecording } from '#media/mixer/recording.ts';

export type LoadCodec = 'opus' | 'pcmu';

export const loadPayloadTypes: Readonly<Record<LoadCodec, number>> = { opus: 100, pcmu: 0 };
/** Of the program. */
export const maxLoadLegs = 8_192;
/** A machine that is not done so long after it should be never will be. */
const graceSeconds = 30;

export interface LoadResult {
  readonly received: number;
  /** By all legs, while it was measured. */
  readonly sent: number;
  /** That the system did not take: then the load was less than it should have been. */
  readonly unsent: number;
  readonly lost: number;
  readonly deaf: number;
  readonly intervalP50Ms: number;
  readonly intervalP99Ms: number;
  /** From the socket of who pulses to the sockets of the others; 0 where nobody does. */
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
}

export interface LoadLeg {
  readonly port: number;
  /** Otherwise silent, with a packet each 400 ms. */
  readonly talks: boolean;
  /** Is loud for one frame each 500 ms; G.711 alone. */
  readonly pulses?: boolean;
}

export interface LoadOptions {
  readonly codec: LoadCodec;
  /** All legs send from here. */
  readonly port: number;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** It is kept on this core. */
  readonly core?: number;
  readonly onMeasuring?: () => void;
}

export class VoiceLoad {
  readonly #folder: string;
  readonly #files = new Map<LoadCodec, string>();

  /** @param folder for the program and what it sends */
  constructor(folder: string) {
    this.#folder = folder;
    const source = fileURLToPath(new URL('audio-mix-load.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-o', join(folder, 'load'), source]);
  }

  async run(legs: readonly LoadLeg[], options: LoadOptions): Promise<LoadResult> {
    const { codec, port, warmSeconds, seconds, core, onMeasuring } = options;
    const file = this.#files.get(codec) ?? writeFrames(this.#folder, codec);
    this.#files.set(codec, file);
    const step = codec === 'opus' ? 960 : 160;
    const times = [port, warmSeconds, seconds].map(String);
    const command = [join(this.#folder, 'load'), ...times, file, String(loadPayloadTypes[codec]), String(step)];
    const [program = '', ...args] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
    const timeout = (warmSeconds + seconds + graceSeconds) * 1_000;
    const load = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], timeout });
    load.stdin.end(legs.map((leg) => `${leg.port} ${leg.pulses ? 'p' : leg.talks ? 't' : 's'}\n`).join(''));
    let result: LoadResult | undefined;
    for await (const line of createInterface({ input: load.stdout })) {
      if (line === 'measuring') onMeasuring?.();
      else result = JSON.parse(line) as LoadResult;
    }
    if (!result) throw new Error('the load generator ended without a result');
    return result;
  }
}

/** Speech, as frames of the codec in a file. */
function writeFrames(folder: string, codec: LoadCodec): string {
  const names = ['you_are_alone', 'enter_pin', 'wrong_pin', 'room_full'];
  const speech = names.flatMap((name) => {
    const file = fileURLToPath(new URL(`../media/prompts/en/${name}.opus`, import.meta.url));
    return [...(decodeRecording(readFileSync(file)) ?? [])];
  });
  const samples = Int16Array.from(speech);
  const file = join(folder, `${codec}.frames`);
  const parts: Buffer[] = [];
  using encoder = new VoiceEncoder({ codec: 'opus', frameMs: 20, bitrateBps: 32_000 });
  const down = new Downsampler(6, 960);
  const narrow = new Int16Array(160);
  for (let at = 0; at + 960 <= samples.length; at += 960) {
    const frame = samples.subarray(at, at + 960);
    const payload = new Uint8Array(500);
    let length = 160;
    if (codec === 'opus') length = encoder.encode(frame, payload);
    else {
      down.process(frame, 960, narrow);
      encodeG711('pcmu', narrow, payload);
    }
    parts.push(Buffer.from([length >> 8, length & 255]), Buffer.from(payload.subarray(0, length)));
  }
  writeFileSync(file, Buffer.concat(parts));
  return file;
}
