// What a browser sees of a view of a room: numbers in cells, and how many pictures came. Loaded after webrtc-peers.js,
// whose `get` and `until` it uses.

const watches = new Map();

/** Counts pictures as they are shown, from now on. */
const watchFrames = ({ handle }) => {
  watches.set(handle, 0);
  const { video } = get(handle).view;
  const note = () => {
    watches.set(handle, watches.get(handle) + 1);
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback(note);
};

const framesShown = ({ handle }) => watches.get(handle);

/**
 * Waits until the number in each cell (eight boxes in its upper quarter) has gone on by so much, and in so many looks at
 * least. Each begins anew when it jumps: the first look may have caught the cell on its way.
 */
const countsOn = ({ handle, cells, by = 5, looks = 5 }) => {
  const { video } = get(handle).view;
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const read = () => {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    return cells.map(({ x, y, width, height }) => {
      const row = context.getImageData(x, Math.round(y + height / 8), width, 1).data;
      let number = 0;
      for (let bit = 0; bit < 8; bit++)
        if (row[4 * Math.round((bit + 0.5) * (width / 8)) + 1] > 125) number |= 1 << bit;
      return number;
    });
  };
  const seen = read().map((number) => ({ number, gone: 0, looks: 0 }));
  return until('numbers that go on', () => {
    read().forEach((number, i) => {
      const step = (number - seen[i].number) & 255;
      if (step === 0) return;
      const isJump = step > 64;
      seen[i] = { number, gone: isJump ? 0 : seen[i].gone + step, looks: isJump ? 0 : seen[i].looks + 1 };
    });
    return { ok: seen.every((one) => one.gone >= by && one.looks >= looks), value: seen };
  });
};

/** @returns the picture as a data URL */
const screenshot = ({ handle }) => {
  const { video } = get(handle).view;
  const canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  return canvas.toDataURL('image/png');
};

Object.assign(globalThis.peers, { watchFrames, framesShown, countsOn, screenshot });
