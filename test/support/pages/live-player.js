// Plays a room without WebRTC in a page of the gateway's own origin, and tells what is seen and heard. Loaded by a test, after
// hls.js where that is wanted.

const grid = { width: 64, height: 36 };
let video;
let player;
let analyser;

function newVideo() {
  video = document.createElement('video');
  video.playsInline = true;
  document.body.append(video);
  const context = new AudioContext();
  analyser = context.createAnalyser();
  analyser.fftSize = 16_384;
  context.createMediaElementSource(video).connect(analyser).connect(context.destination);
  void context.resume();
}

const playFmp4 = async ({ url, token }) => {
  const { Fmp4Player } = await import('/assets/switchyard-client.js');
  newVideo();
  player = new Fmp4Player({ video, url, token: () => token });
  const states = [];
  const settled = new Promise((resolve) => {
    player.events.on('changed', (state) => {
      states.push(state);
      if (state.phase === 'playing' || state.phase === 'failed') resolve();
    });
  });
  player.start();
  await settled;
  return states;
};

const playHls = ({ url }) => {
  newVideo();
  const errors = [];
  player = new Hls({ lowLatencyMode: true, enableWorker: false });
  player.on(Hls.Events.ERROR, (_, { fatal, details }) => {
    errors.push(details);
    if (fatal) player.startLoad();
  });
  player.loadSource(url);
  player.attachMedia(video);
  return new Promise((resolve) => {
    player.on(Hls.Events.MANIFEST_PARSED, () => void video.play().then(() => resolve(errors)));
  });
};

/** @returns number and colour of the picture that is shown, and the tone that is heard */
const look = () => {
  const canvas = document.createElement('canvas');
  canvas.width = grid.width;
  canvas.height = grid.height;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(video, 0, 0, grid.width, grid.height);
  const pixel = (x, y) => [...context.getImageData(x, y, 1, 1).data];
  let number = 0;
  for (let bit = 0; bit < 8; bit++) if (pixel(8 * bit + 4, 4)[1] > 125) number |= 1 << bit;
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const loudest = bins.indexOf(Math.max(...bins));
  return {
    number,
    color: pixel(32, 27).slice(0, 3),
    toneHz: (loudest * analyser.context.sampleRate) / analyser.fftSize,
    toneDb: bins[loudest],
    latencyMs: player.latencyMs ?? player.latency * 1_000,
    height: video.videoHeight,
    heights: player.levels?.map(({ height }) => height),
    isLowLatency: player.lowLatencyMode ? player.latestLevelDetails?.partList?.length > 0 : undefined,
    positionS: video.currentTime,
  };
};

const stop = () => {
  if ('destroy' in player) player.destroy();
  else player.close();
  video.remove();
};

/** Of the master playlist; seen as soon as what was loaded before is over. */
const changeLevel = ({ height }) => {
  player.nextLevel = player.levels.findIndex((level) => level.height === height);
};

globalThis.live = { playFmp4, playHls, changeLevel, look, stop };
