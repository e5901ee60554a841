import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { clockNowUs } from '../rtp/sequence.ts';
import { Departures } from './departures.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'hrtime', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

interface Left {
  readonly kind: 'audio' | 'video';
  /** After when it is to be shown. */
  readonly lateMs: number;
}

/** Pictures that come in time and sound that comes in pairs, up to `lateMs` late. */
async function run(departures: Departures, { lateMs, seconds }: { lateMs: number; seconds: number }): Promise<Left[]> {
  const left: Left[] = [];
  const leave = (kind: Left['kind'], clockUs: number) =>
    departures.leave(kind, clockUs, () => left.push({ kind, lateMs: (clockNowUs() - clockUs) / 1_000 }));
  for (let n = 0; n < seconds * 25; n++) {
    const nowUs = clockNowUs();
    leave('video', nowUs);
    for (const backMs of [lateMs, lateMs - 20]) leave('audio', nowUs - backMs * 1_000);
    await vi.advanceTimersByTimeAsync(40);
  }
  return left;
}

/** Browsers keep so much more of sound before they have had reports. */
const leadMs = 50;

test('sound that comes late and in pairs leaves evenly, and the picture behind it by what browsers keep of sound', async () => {
  const departures = new Departures();
  const left = (await run(departures, { lateMs: 90, seconds: 4 })).slice(-60);
  departures.close();
  const of = (kind: Left['kind']) => left.filter((one) => one.kind === kind).map(({ lateMs }) => lateMs);
  const spread = (values: number[]) => Math.max(...values) - Math.min(...values);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  expect(spread(of('audio'))).toBeLessThan(12);
  expect(Math.abs(mean(of('audio')) + leadMs - mean(of('video')))).toBeLessThan(6);
  expect(mean(of('audio'))).toBeGreaterThan(80);
});

test('the first frames do not decide how long the next ones wait, but what came just before sound began does', async () => {
  const departures = new Departures();
  departures.expect('audio');
  for (let n = 0; n < 200; n++) departures.note('audio', clockNowUs() - 240_000);
  for (let n = 0; n < 24; n++) departures.note('audio', clockNowUs() - 70_000);
  departures.expect('video');
  const clockUs = clockNowUs();
  const { promise, resolve } = Promise.withResolvers<number>();
  departures.leave('audio', clockUs, () => resolve(clockNowUs() - clockUs));
  await vi.advanceTimersByTimeAsync(100);
  departures.close();
  expect(Math.abs((await promise) - 70_000)).toBeLessThan(3_000);
});

test('sound waits for a picture that was announced and has not come', async () => {
  const departures = new Departures();
  const send = vi.fn();
  departures.expect('video');
  departures.leave('audio', clockNowUs(), send);
  expect(send).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(100);
  expect(send).toHaveBeenCalledOnce();
  departures.close();
});

test('a source of one kind leaves at once', () => {
  const departures = new Departures();
  const send = vi.fn();
  for (let n = 0; n < 10; n++) departures.leave('video', clockNowUs(), send);
  expect(send).toHaveBeenCalledTimes(10);
});

test('of low latency nothing waits for anything', () => {
  const departures = new Departures({ latency: 'low' });
  const order: string[] = [];
  departures.leave('video', clockNowUs(), () => order.push('picture'));
  departures.leave('audio', clockNowUs(), () => order.push('sound'));
  departures.leave('video', clockNowUs(), () => order.push('picture'));
  departures.close();
  expect(order).toEqual(['picture', 'sound', 'picture']);
});

test('sound that is far too late beside a picture in time is left out', () => {
  const departures = new Departures();
  const send = vi.fn();
  departures.leave('video', clockNowUs(), send);
  expect(departures.leave('audio', clockNowUs() - 1_000_000, send)).toBe(false);
  departures.close();
});

test('what waits is sent by flush() in order, and never after close()', async () => {
  const departures = new Departures();
  const order: string[] = [];
  departures.leave('video', clockNowUs(), () => order.push('alone'));
  departures.leave('audio', clockNowUs(), () => order.push('sound'));
  departures.leave('video', clockNowUs(), () => order.push('picture'));
  expect(order).toEqual(['alone']);
  departures.flush();
  expect(order).toEqual(['alone', 'sound', 'picture']);
  departures.leave('audio', clockNowUs(), () => order.push('lost'));
  departures.close();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(order).toHaveLength(3);
});

test('a stall lengthens the hold by a good part of itself, and it comes down by five milliseconds a second', async () => {
  const departures = new Departures();
  await run(departures, { lateMs: 40, seconds: 2 });
  for (let lateMs = 300; lateMs > 0; lateMs -= 20) departures.note('audio', clockNowUs() - lateMs * 1_000);
  const left = await run(departures, { lateMs: 40, seconds: 4 });
  departures.close();
  const sound = left.filter(({ kind }) => kind === 'audio').map(({ lateMs }) => lateMs);
  const [first = 0, last = 0] = [sound[1], sound.at(-1)];
  expect(first).toBeGreaterThan(120);
  expect(first - last).toBeGreaterThan(8);
  expect(first - last).toBeLessThan(32);
});

test('sound that comes while a picture waits leaves when it is due, not with the picture', async () => {
  const departures = new Departures();
  const leftMs: number[] = [];
  const beganUs = clockNowUs();
  departures.expect('video');
  departures.expect('audio');
  departures.leave('video', beganUs, () => undefined);
  await vi.advanceTimersByTimeAsync(10);
  departures.leave('audio', beganUs, () => leftMs.push((clockNowUs() - beganUs) / 1_000));
  await vi.advanceTimersByTimeAsync(200);
  departures.close();
  expect(leftMs).toHaveLength(1);
  expect(Math.abs((leftMs[0] ?? 0) - 40)).toBeLessThan(3);
});
