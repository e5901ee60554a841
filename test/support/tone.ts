// Owns: measuring tones in what was heard.

/** Power of one frequency in a window (Goertzel, under a Hann window), in dBov: a full-scale sine is -3. */
export function toneLevel(samples: Int16Array, toneHz: number, sampleRateHz: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * toneHz) / sampleRateHz);
  let s1 = 0;
  let s2 = 0;
  samples.forEach((sample, i) => {
    const hann = 1 - Math.cos((2 * Math.PI * (i + 0.5)) / samples.length);
    const s0 = sample * hann + coefficient * s1 - s2;
    s2 = s1;
    s1 = s0;
  });
  const power = (s1 * s1 + s2 * s2 - coefficient * s1 * s2) / (samples.length * samples.length);
  return 10 * Math.log10(Math.max(1e-9, (2 * power) / 32_768 ** 2));
}

/** Everything in it. */
export function level(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return 10 * Math.log10(Math.max(1e-9, sum / samples.length / 32_768 ** 2));
}

/** Levels of a tone in windows of 20 ms. */
export function toneLevels(samples: Int16Array, toneHz: number, sampleRateHz: number): number[] {
  const size = sampleRateHz / 50;
  return Array.from({ length: Math.floor(samples.length / size) }, (_, i) =>
    toneLevel(samples.subarray(i * size, (i + 1) * size), toneHz, sampleRateHz),
  );
}

/** Of most windows: a jump of the phase between two of them does not count. */
export function usualLevel(samples: Int16Array, toneHz: number, sampleRateHz: number): number {
  const levels = toneLevels(samples, toneHz, sampleRateHz).sort((a, b) => a - b);
  return levels[levels.length >> 1] ?? Number.NEGATIVE_INFINITY;
}

/** Share of windows in which the tone is 6 dB or more below what it is in most. */
export function dropouts(samples: Int16Array, toneHz: number, sampleRateHz: number): number {
  const levels = toneLevels(samples, toneHz, sampleRateHz);
  const usual = usualLevel(samples, toneHz, sampleRateHz);
  return levels.filter((one) => one < usual - 6).length / levels.length;
}
