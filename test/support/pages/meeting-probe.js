// What a page of the meeting shows and plays, told in numbers. Put into every page of a test before its own scripts run;
// tests ask by name what hangs on `globalThis.probe`.

let context;
const analysers = new WeakMap();

/** @param {MediaStreamTrack} track */
function analyserOf(track) {
  context ??= new AudioContext();
  let analyser = analysers.get(track);
  if (!analyser) {
    analyser = new AnalyserNode(context, { fftSize: 2048 });
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    analysers.set(track, analyser);
  }
  return analyser;
}

const videoOf = (selector) => document.querySelector(selector)?.querySelector('video');

/** Frames that this tile's video has painted since its track began; 0 without a picture. */
function frames(selector) {
  return videoOf(selector)?.getVideoPlaybackQuality().totalVideoFrames ?? 0;
}

/** Height of the picture that arrives, pixels. */
function height(selector) {
  return videoOf(selector)?.videoHeight ?? 0;
}

/** Root mean square of what is heard of this participant at this moment, 0..1. */
function loudness(participantId) {
  const element = document.querySelector(`audio[data-participant="${participantId}"]`);
  const track = element?.srcObject?.getAudioTracks()[0];
  if (!track || element.paused) return 0;
  const analyser = analyserOf(track);
  const samples = new Float32Array(analyser.fftSize);
  analyser.getFloatTimeDomainData(samples);
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

/** Frames go on: more of them than there were a moment ago. */
const marks = new Map();
function hasMoreFrames(selector, count) {
  const now = frames(selector);
  const mark = marks.get(selector);
  // A new track starts counting from nothing.
  if (mark === undefined || now < mark) marks.set(selector, now);
  return now >= (marks.get(selector) ?? 0) + count;
}

function forgetFrames(selector) {
  marks.delete(selector);
}

globalThis.probe = { frames, height, loudness, hasMoreFrames, forgetFrames };
