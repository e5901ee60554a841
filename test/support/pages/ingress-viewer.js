// What a browser sees and hears of the pictures that test/support/test-picture.ts describes. Loaded after webrtc-peers.js,
// whose `get` and `until` it uses.

/** Counter of 8 white boxes at the top, below it the flash, the lower half one colour. */
const grid = { width: 64, height: 36, bitY: 3, flashY: 12 };

const onsetDetector = `
  class OnsetDetector extends AudioWorkletProcessor {
    quiet = 0;
    process([[samples]]) {
      for (const value of samples ?? []) {
        if (Math.abs(value) < 0.25) { this.quiet += 1; continue; }
        if (this.quiet > sampleRate / 2) this.port.postMessage(Date.now());
        this.quiet = 0;
      }
      return true;
    }
  }
  registerProcessor('onset-detector', OnsetDetector);`;

async function listenForBeeps(track, onBeep) {
  const context = new AudioContext();
  await context.audioWorklet.addModule(URL.createObjectURL(new Blob([onsetDetector], { type: 'text/javascript' })));
  const detector = new AudioWorkletNode(context, 'onset-detector');
  detector.port.onmessage = ({ data }) => onBeep(data);
  new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) }).connect(detector);
  return () => context.close();
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

/**
 * Looks and listens until flashes and beeps are in step: the median of the last five within `withinMs`. A browser slews
 * towards it for some seconds after the start, and a machine that is busy disturbs it.
 * @returns numbers of the frames in the order shown, and how much later each beep is than its flash, milliseconds
 */
async function observe({ handle, withinMs, timeoutMs = 30_000 }) {
  const { view, pc } = get(handle);
  const read = frameReader(view.video);
  const numbers = [];
  const flashes = [];
  const beeps = [];
  let wasFlash = true;
  let isOver = false;
  const look = (_now, { presentationTime }) => {
    if (isOver) return;
    const { number, isFlash } = read();
    numbers.push(number);
    if (isFlash && !wasFlash) flashes.push(performance.timeOrigin + presentationTime);
    wasFlash = isFlash;
    view.video.requestVideoFrameCallback(look);
  };
  view.video.requestVideoFrameCallback(look);
  const audio = pc.getReceivers().find(({ track }) => track.kind === 'audio');
  const stop = await listenForBeeps(audio.track, (atMs) => beeps.push(atMs));
  const offsets = () =>
    flashes.flatMap((flash) => {
      const beep = beeps.find((one) => Math.abs(one - flash) < 450);
      return beep === undefined ? [] : [beep - flash];
    });
  try {
    await until(
      `flashes and beeps within ${withinMs} ms`,
      () => {
        const last = offsets().slice(-5);
        const isInStep = last.length === 5 && Math.abs(median(last)) < withinMs;
        return { ok: isInStep, value: { offsets: offsets(), flashes: flashes.length, beeps: beeps.length } };
      },
      timeoutMs,
    );
  } finally {
    isOver = true;
    stop();
  }
  return { numbers, offsetsMs: offsets() };
}

/** Waits until the picture has these colours at these places, given as shares of its width and height. */
const showsColors = ({ handle, places }) => {
  const { video } = get(handle).view;
  const canvas = document.createElement('canvas');
  canvas.width = 100;
  canvas.height = 100;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  return until('colours', () => {
    if (video.videoWidth === 0) return { ok: false, value: 'no picture' };
    context.drawImage(video, 0, 0, 100, 100);
    const value = places.map(({ x, y }) => [...context.getImageData(x * 100, y * 100, 1, 1).data].slice(0, 3));
    const ok = places.every(({ rgb }, i) => Math.hypot(...rgb.map((part, n) => part - value[i][n])) < 70);
    return { ok, value };
  });
};

Object.assign(globalThis.peers, { observe, showsColors });
