// Owns: whether a recording of ours is in what a phone heard, by correlation.
import type { PromptName } from '#core/leg-media.ts';
import { Prompts } from '#media/mixer/prompts.ts';

const rateHz = 8_000;
/** The loudest so much of a recording is looked for. */
const pieceSamples = rateHz * 0.45;

const prompts = new Prompts(undefined);

/**
 * @param heard 8 kHz
 * @returns 0..1, how alike the best place in it is; above 0.7 it is the recording
 */
export function likeness(heard: Int16Array, name: PromptName, language = 'en'): number {
  const piece = loudest(downsampled(prompts.get(name, language)));
  const pieceEnergy = energy(piece);
  let best = 0;
  let sum = energy(heard.subarray(0, piece.length));
  for (let at = 0; at + piece.length <= heard.length; at++) {
    let product = 0;
    for (let i = 0; i < piece.length; i++) product += (piece[i] as number) * (heard[at + i] as number);
    const share = product / Math.sqrt(pieceEnergy * Math.max(1, sum));
    if (share > best) best = share;
    const leaving = heard[at] as number;
    const entering = heard[at + piece.length] ?? 0;
    sum += entering * entering - leaving * leaving;
  }
  return best;
}

function downsampled(samples: Int16Array): Float64Array {
  const factor = 48_000 / rateHz;
  return Float64Array.from({ length: Math.floor(samples.length / factor) }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < factor; k++) sum += samples[i * factor + k] as number;
    return sum / factor;
  });
}

function loudest(samples: Float64Array): Float64Array {
  let best = samples.subarray(0, pieceSamples);
  for (let at = 0; at + pieceSamples <= samples.length; at += rateHz / 20) {
    const piece = samples.subarray(at, at + pieceSamples);
    if (energy(piece) > energy(best)) best = piece;
  }
  return best;
}

function energy(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i++) sum += (samples[i] as number) ** 2;
  return sum;
}
