// What a browser sees and hears of the pictures that test/support/test-picture.ts describes. Loaded after webrtc-peers.js,
// whose `get` and `until` it uses.

/** Counter of 8 white boxes at the top, below it the flash, the lower half one colour. */
const grid = { width: 64, height: 36, bitY: 3, flashY: 12 };

/**
 * Times of loud beginnings after half a second of quiet. Read from the track itself: what Web Audio puts in between has a
 * clock and a queue of its own. Chunks carry when they were played out, on a clock that runs like `performance.now()`;
 * how the two are apart shows in the chunk that was read with the least delay.
 */
function listenForBeeps(track) {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  const onsetsMs = [];
  let apartMs = Number.POSITIVE_INFINITY;
  let quiet = 0;
  const read = async () => {
    for (;;) {
      const { value: chunk, done } = await reader.read();
      if (done) return;
      apartMs = Math.min(apartMs, performance.now() - chunk.timestamp / 1_000);
      const samples = new Float32Array(chunk.numberOfFrames);
      chunk.copyTo(samples, { planeIndex: 0, format: 'f32-planar' });
      samples.forEach((value, i) => {
        if (Math.abs(value) < 0.25) {
          quiet += 1;
          return;
        }
        if (quiet > chunk.sampleRate / 2) onsetsMs.push(chunk.timestamp / 1_000 + (i * 1_000) / chunk.sampleRate);
        quiet = 0;
      });
      chunk.close();
    }
  };
  void read();
  return { onsets: () => onsetsMs.map((atMs) => atMs + apartMs), stop: () => reader.cancel() };
}

function frameReader(video) {
  const canvas = document.createElement('canvas');
  canvas.width = grid.width;
  canvas.height = grid.height;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return () => {
    context.drawImage(video, 0, 0, grid.width, grid.height);
    const { data } = context.getImageData(0, 0, grid.width, grid.height);
    const isWhite = (x, y) => data[4 * (y * grid.width + x) + 1] > 128;
    let number = 0;
    for (let bit = 0; bit < 8; bit++) if (isWhite(8 * bit + 4, grid.bitY)) number |= 1 << bit;
    return { number, isFlash: isWhite(32, grid.flashY) };
  };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Notes the frames that are shown, and when flashes and beeps begin, until it is stopped. */
function watchFlashesAndBeeps({ view, pc }) {
  const read = frameReader(view.video);
  const numbers = [];
  const flashes = [];
  let wasFlash = true;
  let isOver = false;
  const look = (_now, { presentationTime }) => {
    if (isOver) return;
    const { number, isFlash } = read();
    numbers.push(number);
    if (isFlash && !wasFlash) flashes.push(presentationTime);
    wasFlash = isFlash;
    view.video.requestVideoFrameCallback(look);
  };
  view.video.requestVideoFrameCallback(look);
  const audio = pc.getReceivers().find(({ track }) => track.kind === 'audio');
  const beeps = listenForBeeps(audio.track);
  return {
    numbers,
    counts: () => ({ flashes: flashes.length, beeps: beeps.onsets().length }),
    offsets: () =>
      flashes.flatMap((flash) => {
        const beep = beeps.onsets().find((one) => Math.abs(one - flash) < 450);
        return beep === undefined ? [] : [beep - flash];
      }),
    stop() {
      isOver = true;
      void beeps.stop();
    },
  };
}

/**
 * Looks and listens until flashes and beeps are in step: the median of the last five within `withinMs`. A machine that is
 * busy disturbs it.
 * @returns numbers of the frames in the order shown, and how much later each beep is than its flash, milliseconds
 */
async function observe({ handle, withinMs, timeoutMs = 30_000 }) {
  const watching = watchFlashesAndBeeps(get(handle));
  try {
    await until(
      `flashes and beeps within ${withinMs} ms`,
      () => {
        const last = watching.offsets().slice(-5);
        const isInStep = last.length === 5 && Math.abs(median(last)) < withinMs;
        return { ok: isInStep, value: { offsets: watching.offsets(), ...watching.counts() } };
      },
      timeoutMs,
    );
  } finally {
    watching.stop();
  }
  return { numbers: watching.numbers, offsetsMs: watching.offsets() };
}

/** The same for so long, whatever they are. */
async function observeFor({ handle, seconds }) {
  const watching = watchFlashesAndBeeps(get(handle));
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  watching.stop();
  return { numbers: watching.numbers, offsetsMs: watching.offsets() };
}

/** Until so many frames have been shown. @returns their numbers, in that order */
async function numbersOf({ handle, count, timeoutMs = 60_000 }) {
  const watching = watchFlashesAndBeeps(get(handle));
  const { numbers } = watching;
  try {
    await until(`${count} frames`, () => ({ ok: numbers.length >= count, value: numbers.length }), timeoutMs);
  } finally {
    watching.stop();
  }
  return numbers;
}

/** Of the audio that should have been played: samples made up for what was missing, late or thrown away. */
async function concealedShare({ handle }) {
  const stats = [...(await get(handle).pc.getStats()).values()];
  const audio = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio');
  return audio.concealedSamples / audio.totalSamplesReceived;
}

/** @returns how it looks at these places, given as shares of its width and height, and whether each has its colour */
function colorsAt({ handle, places }) {
  const { video } = get(handle).view;
  if (video.videoWidth === 0) return { ok: false, value: 'no picture' };
  const canvas = new OffscreenCanvas(100, 100);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0, 100, 100);
  const value = places.map(({ x, y }) => [...context.getImageData(x * 100, y * 100, 1, 1).data].slice(0, 3));
  const ok = places.every(({ rgb }, i) => Math.hypot(...rgb.map((part, n) => part - value[i][n])) < 70);
  return { ok, value };
}

/** Waits until the picture has these colours at these places. */
const showsColors = (options) => until('colours', () => colorsAt(options));

/** How long frames of each kind have waited in the jitter buffer on average, milliseconds. */
async function keptMs({ handle }) {
  const stats = [...(await get(handle).pc.getStats()).values()].filter(({ type }) => type === 'inbound-rtp');
  return Object.fromEntries(
    stats.map((one) => [one.kind, Math.round((1_000 * one.jitterBufferDelay) / one.jitterBufferEmittedCount)]),
  );
}

Object.assign(globalThis.peers, {
  ...{ observe, observeFor, numbersOf, concealedShare, keptMs },
  ...{ colorsAt, showsColors },
});
