// The operator's own recordings, in the formats that people have: played as they are, and looked through at the start.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, test } from 'vitest';
import { checkPrompts } from '#jobs/prompt-check.ts';
import { Prompts } from '#media/mixer/prompts.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { level, usualLevel } from '#test/support/tone.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prompt-files-'));
  await mkdir(join(folder, 'en'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A second of 440 Hz at -20 dBov. */
async function record(name: string, ...options: string[]): Promise<void> {
  const tone = [
    '-f',
    'lavfi',
    '-i',
    'sine=frequency=440:duration=1:sample_rate=44100',
    '-af',
    'volume=0.8',
    '-ac',
    '2',
  ];
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-y', ...tone, ...options, join(folder, 'en', name)]);
}

test('MP3, Ogg Vorbis, FLAC, AAC, Opus in Matroska, 24-bit and A-law WAV are played as they sound', async () => {
  const files = {
    welcome: ['welcome.mp3'],
    joined: ['joined.ogg', '-c:a', 'libvorbis'],
    you_are_alone: ['you_are_alone.flac'],
    muted: ['muted.m4a'],
    unmuted: ['unmuted.mka', '-c:a', 'libopus'],
    goodbye: ['goodbye.wav', '-c:a', 'pcm_s24le'],
    removed: ['removed.wav', '-c:a', 'pcm_alaw', '-ar', '8000'],
  } as const;
  for (const [name = '', ...options] of Object.values(files)) await record(name, ...options);
  const log = new KeepingLog();
  await checkPrompts(folder, log);
  assert.deepEqual(log.lines, []);
  const prompts = new Prompts(folder);
  const own = new Prompts(undefined);
  const levels = Object.keys(files).map((name) => {
    const samples = prompts.get(name as keyof typeof files, 'en');
    assert.notDeepEqual(samples, own.get(name as keyof typeof files, 'en'));
    assert.ok(Math.abs(samples.length - 48_000) < 4_000, `${name}: ${samples.length}`);
    const middle = samples.subarray(9_600, 38_400);
    // All of it is the tone.
    assert.ok(Math.abs(usualLevel(middle, 440, 48_000) - level(middle)) < 1.5, name);
    return level(middle);
  });
  assert.ok(Math.max(...levels) - Math.min(...levels) < 2, levels.join(' '));
});

test('a file that is no sound keeps the gateway from starting, by its name; one that no prompt is called is told', async () => {
  await writeFile(join(folder, 'en', 'wrong_pin.mp3'), 'this is not a song');
  await writeFile(join(folder, 'en', 'welcom.mp3'), 'nor is this');
  const log = new KeepingLog();
  await assert.rejects(checkPrompts(folder, log), (error: Error) => {
    assert.match(error.message, /^mix\.promptsFolder: cannot be played: .*en\/wrong_pin\.mp3 \(.+\)\.$/);
    return true;
  });
  assert.equal(log.lines.length, 1);
  await assert.rejects(checkPrompts(join(folder, 'nowhere'), log), /nowhere/);
});
