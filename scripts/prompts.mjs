#!/usr/bin/env node
/**
 * Makes the recordings in media/prompts again, from the words in prompts/texts.mjs. Wants espeak-ng and ffmpeg; nobody
 * needs to run it but who changes the words. Operators put recordings of their own beside (mix.promptsFolder).
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { languages } from './prompts/texts.mjs';

const target = fileURLToPath(new URL('../media/prompts/', import.meta.url));
const work = mkdtempSync(join(tmpdir(), 'prompts-'));
const rate = 48_000;

try {
  for (const [language, { voice, wordsPerMinute, texts }] of Object.entries(languages)) {
    mkdirSync(join(target, language), { recursive: true });
    for (const [name, text] of Object.entries(texts)) {
      const spoken = join(work, `${name}.wav`);
      execFileSync('espeak-ng', ['-v', voice, '-s', String(wordsPerMinute), '-a', '100', '-w', spoken, text]);
      encode(spoken, join(target, language, `${name}.opus`), '20k');
    }
  }
  mkdirSync(join(target, 'any'), { recursive: true });
  const music = join(work, 'music.wav');
  writeFileSync(music, wav(holdMusic()));
  encode(music, join(target, 'any', 'hold_music.opus'), '32k');
  const ringing = join(work, 'ringing.wav');
  writeFileSync(ringing, wav(ringingTone()));
  encode(ringing, join(target, 'any', 'ringing.opus'), '20k');
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** One loudness for all: speech at the level of a calm talker on the phone. */
function encode(/** @type {string} */ from, /** @type {string} */ to, /** @type {string} */ bitrate) {
  const filter = 'loudnorm=I=-22:TP=-3:LRA=7,aresample=48000';
  const codec = ['-c:a', 'libopus', '-b:a', bitrate, '-application', 'voip', '-frame_duration', '20'];
  const quiet = ['-hide_banner', '-loglevel', 'error', '-y'];
  execFileSync('ffmpeg', [...quiet, '-i', from, '-af', filter, '-ac', '1', ...codec, '-bitexact', to]);
}

/** Plucked chords that nobody owns: I vi IV V, broken, with a soft decay; 24 seconds that join without a seam. */
function holdMusic() {
  const chords = [
    [261.63, 329.63, 392.0],
    [220.0, 261.63, 329.63],
    [174.61, 220.0, 261.63],
    [196.0, 246.94, 293.66],
  ];
  const noteSeconds = 0.5;
  const pattern = [0, 1, 2, 1, 0, 2, 1, 2, 0, 1, 2, 1];
  const total = chords.length * pattern.length * noteSeconds * rate;
  const samples = new Float64Array(total);
  chords.forEach((chord, c) => {
    pattern.forEach((note, n) => {
      const start = (c * pattern.length + n) * noteSeconds * rate;
      const hertz = chord[note] ?? 220;
      for (let i = 0; i < 1.6 * rate; i++) {
        const seconds = i / rate;
        const envelope = Math.min(1, seconds / 0.01) * Math.exp(-2.6 * seconds);
        const tone = Math.sin(2 * Math.PI * hertz * seconds) + 0.3 * Math.sin(4 * Math.PI * hertz * seconds);
        const at = (start + i) % total;
        samples[at] = (samples[at] ?? 0) + 5_000 * envelope * tone;
      }
    });
  });
  return samples;
}

/** 425 Hz, a second of it in five: what most of the world hears while it rings. @see ITU-T E.180 */
function ringingTone() {
  const samples = new Float64Array(5 * rate);
  for (let i = 0; i < rate; i++) {
    const envelope = Math.min(1, i / 480, (rate - i) / 480);
    samples[i] = 5_000 * envelope * Math.sin((2 * Math.PI * 425 * i) / rate);
  }
  return samples;
}

/** @param {Float64Array} samples */
function wav(samples) {
  const bytes = Buffer.alloc(44 + samples.length * 2);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(bytes.length - 8, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(rate, 24);
  bytes.writeUInt32LE(rate * 2, 28);
  bytes.writeUInt16LE(2, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples.length * 2, 40);
  for (const [i, sample] of samples.entries()) {
    bytes.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample))), 44 + i * 2);
  }
  return bytes;
}
