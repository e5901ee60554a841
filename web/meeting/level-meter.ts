// Owns: how loud a track is, for a bar on the page. May import: nothing.

/**
 * Listens to a copy of the track, so that it hears also while the original is muted.
 * @param onLevel 0..1, about ten times a second
 * @returns ends it
 */
export function watchLevel(track: MediaStreamTrack, onLevel: (level: number) => void): () => void {
  const copy = track.clone();
  copy.enabled = true;
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 1_024;
  context.createMediaStreamSource(new MediaStream([copy])).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    // A page that nobody has clicked yet gets a context that sleeps; it wakes with the first click.
    if (context.state === 'suspended') void context.resume();
    analyser.getFloatTimeDomainData(samples);
    onLevel(levelOf(samples));
  }, 100);
  return () => {
    clearInterval(timer);
    copy.stop();
    void context.close();
  };
}

/** -60 dBFS and less is 0, -10 dBFS and more is 1: the range of a voice. */
export function levelOf(samples: Float32Array): number {
  let squares = 0;
  for (const sample of samples) squares += sample * sample;
  const dbfs = 10 * Math.log10(squares / samples.length + 1e-12);
  return Math.min(1, Math.max(0, (dbfs + 60) / 50));
}
