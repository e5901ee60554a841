// A SIP phone in a page, on JsSIP: speaks a tone, shows a colour, keeps what it hears and looks at what it is shown. Bundled by test/support/web-phone.ts.
import JsSIP from 'jssip';

const sampleRate = 48_000;
const audio = new AudioContext({ sampleRate });
const events = [];
let session;
let heard = [];
let source;
let agent;

const recorder = `registerProcessor('recorder', class extends AudioWorkletProcessor {
  process([[samples]]) { if (samples) this.port.postMessage(samples.slice()); return true; }
});`;

async function keep(stream) {
  // Chromium lets a remote stream flow into a graph only while an element plays it as well.
  const element = new Audio();
  element.muted = true;
  element.srcObject = stream;
  await element.play();
  const node = new AudioWorkletNode(audio, 'recorder');
  node.port.onmessage = ({ data }) => heard.push(data);
  // After hold the track comes again: heard twice it would be nonsense.
  source?.disconnect();
  source = new MediaStreamAudioSourceNode(audio, { mediaStream: stream });
  source.connect(node);
}

function speak(toneHz, dbov) {
  // A full-scale sine is at -3 dBov.
  const gain = new GainNode(audio, { gain: 10 ** ((dbov + 3.01) / 20) });
  const destination = new MediaStreamAudioDestinationNode(audio, { channelCount: 1 });
  const oscillator = new OscillatorNode(audio, { frequency: toneHz });
  oscillator.connect(gain).connect(destination);
  oscillator.start();
  return destination.stream;
}

function follow(one) {
  session = one;
  for (const name of ['progress', 'accepted', 'confirmed', 'ended', 'failed', 'hold', 'unhold']) {
    one.on(name, (event) => events.push({ name, originator: event?.originator, cause: event?.cause }));
  }
  one.on('peerconnection', ({ peerconnection }) => listen(peerconnection));
  if (one.connection) listen(one.connection);
}

function listen(connection) {
  connection.addEventListener('track', ({ track }) => {
    if (track.kind === 'audio') void keep(new MediaStream([track]));
    else watch(track);
  });
}

const screen = document.createElement('video');
screen.muted = true;

function watch(track) {
  screen.srcObject = new MediaStream([track]);
  // Taken away before it has begun, it rejects.
  screen.play().catch(() => undefined);
}

/** A camera before a wall of one colour, whose picture is never quite the same: an encoder sends what changes. */
function film(color) {
  const wall = Object.assign(document.createElement('canvas'), { width: 320, height: 240 });
  const context = wall.getContext('2d');
  let count = 0;
  const paint = () => {
    context.fillStyle = color;
    context.fillRect(0, 0, wall.width, wall.height);
    context.fillStyle = 'white';
    context.fillRect((count++ * 8) % wall.width, 0, 8, 8);
  };
  paint();
  setInterval(paint, 66);
  return wall.captureStream(15).getVideoTracks()[0];
}

/** The formats of the picture's m-line in another order: first what is to be spoken. */
function preferring(sdp, codec) {
  const numbers = [...sdp.matchAll(/^a=rtpmap:(\d+) (\S+)\/90000/gm)]
    .filter(([, , name]) => name === codec)
    .map(([, n]) => n);
  return sdp.replace(/^(m=video \d+ \S+) (.*)$/m, (_line, start, formats) => {
    const rest = formats
      .trim()
      .split(' ')
      .filter((one) => !numbers.includes(one));
    return [start, ...numbers, ...rest].join(' ');
  });
}

/** Once the session may offer: it does nothing while another offer is on its way. Resolves when it is answered. */
const offered = (name, options) =>
  new Promise((resolve) => {
    const ask = () => {
      if (!session[name](options, () => resolve(true))) setTimeout(ask, 20);
    };
    ask();
  });

const pcConfig = { iceServers: [] };

globalThis.phone = {
  async start({ server, uri }) {
    await audio.audioWorklet.addModule(URL.createObjectURL(new Blob([recorder], { type: 'text/javascript' })));
    await audio.resume();
    const socket = new JsSIP.WebSocketInterface(server);
    agent = new JsSIP.UA({ sockets: [socket], uri, register: false, session_timers: false });
    agent.on('newRTCSession', ({ session: one }) => follow(one));
    await new Promise((resolve, reject) => {
      agent.on('connected', resolve);
      agent.on('disconnected', ({ reason }) => reject(new Error(`not connected: ${reason}`)));
      agent.start();
    });
  },
  /** The microphone is a tone and the camera a canvas, so that nothing is asked of devices. */
  call({ target, toneHz, dbov, color, codec }) {
    const mediaStream = speak(toneHz, dbov);
    if (color) mediaStream.addTrack(film(color));
    const rtcOfferConstraints = { offerToReceiveVideo: color !== undefined };
    const sdp = (event) => {
      if (codec && event.originator === 'local') event.sdp = preferring(event.sdp, codec);
    };
    agent.call(target, { mediaStream, pcConfig, eventHandlers: { sdp }, rtcOfferConstraints });
  },
  /** Half way down what it is shown, at this part of its width: its red, green and blue; undefined before the first picture. */
  seen({ at = 0.5 } = {}) {
    const { videoWidth: width, videoHeight: height } = screen;
    if (width === 0) return undefined;
    const copy = new OffscreenCanvas(width, height).getContext('2d');
    copy.drawImage(screen, 0, 0);
    const [red, green, blue] = copy.getImageData(Math.floor(width * at), height >> 1, 1, 1).data;
    return { width, height, red, green, blue, frames: screen.getVideoPlaybackQuality().totalVideoFrames };
  },
  /** Which codec its picture is sent in, and what of it was asked for. */
  async sent() {
    const stats = [...(await session.connection.getStats()).values()];
    const out = stats.find(({ type, kind }) => type === 'outbound-rtp' && kind === 'video');
    const { mimeType } = stats.find(({ id }) => id === out?.codecId) ?? {};
    return { mimeType, pliCount: out?.pliCount, nackCount: out?.nackCount };
  },
  answer({ toneHz, dbov }) {
    session.answer({ mediaStream: speak(toneHz, dbov), pcConfig });
  },
  hold: () => offered('hold', {}),
  unhold: () => offered('unhold', {}),
  restartIce: () => offered('renegotiate', { rtcOfferConstraints: { iceRestart: true } }),
  async press({ keys, transportType }) {
    const { connection } = session;
    const [{ dtmf }] = connection.getSenders();
    // Its transport may still be on its way when the call is confirmed, and what is sent before is heard by nobody.
    while (connection.connectionState !== 'connected' || !dtmf.canInsertDTMF)
      await new Promise((wake) => setTimeout(wake, 20));
    session.sendDTMF(keys, { duration: 160, interToneGap: 200, transportType });
  },
  refuseOffers: ({ status }) => void session.on('reinvite', ({ reject }) => reject({ status_code: status })),
  /** One that was refused, or has ended, is left as it is. */
  hangUp: () => session?.isEnded() || session?.terminate(),
  events: () => events,
  clear: () => {
    heard = [];
  },
  heardMs: () => (heard.reduce((sum, { length }) => sum + length, 0) * 1_000) / sampleRate,
  /** s16 at 48 kHz, little-endian, as base64: numbers one by one would take longer than they lasted. */
  samples() {
    const all = new Int16Array(heard.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of heard) for (const value of part) all[at++] = Math.round(value * 32_767);
    return new Uint8Array(all.buffer).toBase64();
  },
  iceUfrag: () => /a=ice-ufrag:(\S+)/.exec(session.connection.remoteDescription.sdp)?.[1],
};
