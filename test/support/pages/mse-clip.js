// Plays fragments out of one SourceBuffer, to their end. Loaded into a page by a test.
globalThis.playAll = async ({ mime, pieces }) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const source = new MediaSource();
  video.src = URL.createObjectURL(source);
  await new Promise((resolve) => source.addEventListener('sourceopen', resolve, { once: true }));
  const buffer = source.addSourceBuffer(mime);
  let error = '';
  buffer.addEventListener('error', () => {
    error = video.error?.message ?? 'not appended';
  });
  for (const piece of pieces) {
    if (error !== '') break;
    buffer.appendBuffer(Uint8Array.from(atob(piece), (character) => character.charCodeAt(0)));
    await new Promise((resolve) => buffer.addEventListener('updateend', resolve, { once: true }));
  }
  if (error === '') source.endOfStream();
  const ended = new Promise((resolve) => video.addEventListener('ended', resolve, { once: true }));
  if (error === '') await Promise.all([video.play(), ended]);
  const { buffered } = video;
  return {
    error,
    ranges: buffered.length,
    start: buffered.length > 0 ? buffered.start(0) : -1,
    end: buffered.length > 0 ? buffered.end(0) : -1,
    reached: video.currentTime,
    frames: video.getVideoPlaybackQuality().totalVideoFrames,
  };
};
