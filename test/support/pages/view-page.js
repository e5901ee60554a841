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

/** Waits until the number in each cell (eight boxes in its upper quarter) has gone on, and tells them. */
const countsOn = ({ handle, cells, by = 5 }) => {
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
  const first = read();
  return until('numbers that go on', () => {
    const value = read();
    const ok = value.every((number, i) => ((number - first[i]) & 255) >= by && ((number - first[i]) & 255) < 128);
    return { ok, value };
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
