// A SIP phone in a page, on JsSIP: speaks a tone, keeps what it hears. Bundled by test/support/web-phone.ts.
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
  connection.addEventListener('track', ({ track }) => void keep(new MediaStream([track])));
}

const eventHandlers = {};
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
  /** The microphone is a tone, so that nothing is asked of devices. */
  call({ target, toneHz, dbov, hasVideo = false }) {
    const mediaStream = speak(toneHz, dbov);
    if (hasVideo) mediaStream.addTrack(document.createElement('canvas').captureStream(5).getVideoTracks()[0]);
    agent.call(target, {
      mediaStream,
      pcConfig,
      eventHandlers,
      rtcOfferConstraints: { offerToReceiveVideo: hasVideo },
    });
  },
  answer({ toneHz, dbov }) {
    session.answer({ mediaStream: speak(toneHz, dbov), pcConfig });
  },
  hold: () => new Promise((resolve) => session.hold({}, () => resolve(true))),
  unhold: () => new Promise((resolve) => session.unhold({}, () => resolve(true))),
  restartIce: () =>
    new Promise((resolve) => session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, () => resolve(true))),
  async press({ keys, transportType }) {
    const [{ dtmf }] = session.connection.getSenders();
    // Its transport may still be on its way when the call is confirmed.
    while (!dtmf.canInsertDTMF) await new Promise((wake) => setTimeout(wake, 20));
    session.sendDTMF(keys, { duration: 160, interToneGap: 200, transportType });
  },
  hangUp: () => session.terminate(),
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
