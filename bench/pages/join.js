// Runs in the page of bench/join.ts, with the client library that the gateway ships.
const library = () => import('/assets/switchyard-client.js');

/** @returns {Promise<{joinedMs: number, firstFrameMs: number}>} */
async function joinOnce(RoomConnection, token) {
  const startedMs = performance.now();
  const autoSubscribe = (publication) => publication.kind === 'video';
  const room = new RoomConnection({ room: 'demo', token, autoSubscribe });
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  try {
    const firstFrame = new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no frame within 10 s')), 10_000);
      room.events.on('trackAdded', ({ track }) => {
        video.srcObject = new MediaStream([track]);
        video.requestVideoFrameCallback(() => {
          clearTimeout(timer);
          resolve(performance.now() - startedMs);
        });
        void video.play();
      });
    });
    // A join that fails is reported itself; its frame never comes.
    firstFrame.catch(() => undefined);
    await room.join();
    const joinedMs = performance.now() - startedMs;
    return { joinedMs, firstFrameMs: await firstFrame };
  } finally {
    // A video that keeps its stream keeps its player too, and a page may have so many.
    video.srcObject = null;
    video.remove();
    await room.leave();
  }
}

globalThis.bench = {
  async joinMany({ token, joins, perSecond }) {
    const { RoomConnection } = await library();
    const running = [];
    for (let i = 0; i < joins; i++) {
      running.push(joinOnce(RoomConnection, token).catch(String));
      await new Promise((wake) => setTimeout(wake, 1_000 / perSecond));
    }
    return Promise.all(running);
  },

  async publish(token) {
    const { RoomConnection } = await library();
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 360 } });
    const room = new RoomConnection({ room: 'demo', token });
    await room.join();
    for (const track of stream.getTracks()) {
      await room.publish(track, { source: track.kind === 'video' ? 'camera' : 'microphone' });
    }
  },
};
