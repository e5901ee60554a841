import { expect, test } from 'vitest';
import { JitterBuffer } from './jitter-buffer.ts';

interface Arrival {
  readonly seq: number;
  readonly atMs: number;
  readonly timestamp?: number;
}

const payload = new Uint8Array(160);

/** Plays what arrives, one frame each 20 ms. */
function play(arrivals: readonly Arrival[], untilMs: number, options: { isQuiet?: boolean; driftPpm?: number } = {}) {
  const buffer = new JitterBuffer(8_000);
  const queue = arrivals.toSorted((a, b) => a.atMs - b.atMs);
  const out: string[] = [];
  const delays: number[] = [];
  for (let nowMs = 0; nowMs < untilMs; nowMs += 20) {
    while (queue[0] && queue[0].atMs <= nowMs) {
      const { seq, atMs, timestamp = seq * 160 } = queue.shift() as Arrival;
      buffer.push('audio', seq & 0xffff, timestamp >>> 0, 160, payload, 0, -20, atMs);
    }
    out.push(buffer.pop(nowMs, options.isQuiet ?? false));
    // Of what was just played, whose end the buffer counts from.
    delays.push(buffer.delayMs(nowMs) + 20);
  }
  return { buffer, out, delays };
}

const steady = (count: number, from = 0) =>
  Array.from({ length: count }, (_, i) => ({ seq: from + i, atMs: i * 20 + 1 }));
const count = (out: readonly string[], what: string) => out.filter((one) => one === what).length;
/** The same sequence each time: failures can be looked at again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

test('a steady stream plays without a gap, 40 to 60 ms behind', () => {
  const { out, buffer, delays } = play(steady(500, 65_300), 9_900);
  expect(out.slice(out.indexOf('audio')).every((one) => one === 'audio')).toBe(true);
  expect(buffer.targetMs).toBe(40);
  expect(Math.max(...delays.slice(100))).toBeLessThanOrEqual(65);
  expect([buffer.lostCount, buffer.lateCount]).toEqual([0, 0]);
});

test('a lost packet is concealed and counted once; two that swapped places are not', () => {
  const arrivals = steady(300).filter(({ seq }) => seq !== 100 && seq !== 200);
  const swapped = arrivals.map((arrival) => (arrival.seq === 50 ? { ...arrival, atMs: arrival.atMs + 25 } : arrival));
  const { out, buffer } = play(swapped, 5_900);
  expect(count(out, 'lost')).toBe(2);
  expect([buffer.lostCount, buffer.lateCount, buffer.concealedCount]).toEqual([2, 0, 2]);
});

test('jitter of 60 ms raises the delay until 97 of 100 packets are in time, and it comes down again', () => {
  const next = random(1);
  const jittery = Array.from({ length: 1_500 }, (_, i) => ({ seq: i, atMs: i * 20 + (i < 750 ? next() * 60 : 1) }));
  const { out, delays, buffer } = play(jittery, 29_500);
  const later = out.slice(250, 750);
  expect(count(later, 'audio') / later.length).toBeGreaterThan(0.96);
  expect(Math.max(...delays.slice(250, 750))).toBeLessThan(150);
  expect(buffer.targetMs).toBe(40);
  expect(Math.max(...delays.slice(-100))).toBeLessThan(80);
});

test('silence that was meant (time stamps jump, numbers do not) is waited for and not concealed', () => {
  const talk = (from: number, atMs: number, timestamp: number) =>
    Array.from({ length: 50 }, (_, i) => ({ seq: from + i, atMs: atMs + i * 20, timestamp: timestamp + i * 160 }));
  const { out } = play([...talk(0, 1, 0), ...talk(50, 3_001, 24_000)], 4_200);
  expect(count(out, 'audio')).toBe(100);
  // At each end the stream is thought lost for a moment: nothing says that it has paused on purpose.
  expect(count(out, 'lost')).toBeLessThanOrEqual(10);
});

test.each([300, -300])('a sender whose clock is %d ppm off neither runs dry nor piles up', (ppm) => {
  const drifting = Array.from({ length: 10_000 }, (_, i) => ({ seq: i, atMs: i * 20 * (1 + ppm / 1e6) + 1 }));
  const { out, delays } = play(drifting, 195_000);
  expect(count(out, 'lost')).toBeLessThan(15);
  expect(Math.max(...delays.slice(100))).toBeLessThan(100);
  expect(Math.min(...delays.slice(100))).toBeGreaterThan(10);
});

test('a sender that begins anew with other numbers is played from there', () => {
  const again = Array.from({ length: 100 }, (_, i) => ({
    seq: 40_000 + i,
    atMs: 2_001 + i * 20,
    timestamp: 7e8 + i * 160,
  }));
  const { out } = play([...steady(100), ...again], 3_900);
  expect(count(out, 'audio')).toBeGreaterThan(185);
});

test('random numbers, times and sizes never stop it', () => {
  const next = random(7);
  const buffer = new JitterBuffer(48_000);
  for (let i = 0; i < 200_000; i++) {
    const isWild = next() < 0.2;
    const seq = isWild ? Math.floor(next() * 65_536) : i & 0xffff;
    buffer.push(
      'audio',
      seq,
      isWild ? Math.floor(next() * 2 ** 32) : (i * 960) >>> 0,
      Math.floor(next() * 5_760),
      payload,
      0,
      0,
      i * 5,
    );
    if (i % 4 === 0) buffer.pop(i * 5, next() < 0.5);
  }
  for (let i = 0; i < 200; i++) buffer.push('audio', i, (i * 960) >>> 0, 960, payload, 0, 0, 2e6 + i * 20);
  const late = Array.from({ length: 100 }, (_, i) => buffer.pop(2e6 + 4_000 + i * 20, true));
  expect(late).toContain('audio');
});

test('a mix that falls behind for seconds goes on being heard, and is in time again at once', () => {
  const buffer = new JitterBuffer(8_000);
  const popped: string[] = [];
  let lastPopMs = 0;
  for (let ms = 0; ms < 20_000; ms += 20) {
    buffer.push('audio', (ms / 20) & 0xffff, ms * 8, 160, new Uint8Array(160), 0, -20, ms);
    // From the second to the twelfth second a beat in four is left out.
    const isOverloaded = ms >= 2_000 && ms < 12_000;
    if (isOverloaded && (ms / 20) % 4 === 0) continue;
    lastPopMs = ms;
    popped.push(buffer.pop(ms, false));
  }
  const during = popped.slice(100, 475);
  expect(during.filter((what) => what === 'audio').length / during.length).toBeGreaterThan(0.9);
  expect(popped.slice(-350).every((what) => what === 'audio')).toBe(true);
  expect(buffer.delayMs(lastPopMs)).toBeLessThan(buffer.targetMs + 45);
});
