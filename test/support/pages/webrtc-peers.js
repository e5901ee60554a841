// Bare WebRTC clients for tests: fetch, WebSocket and RTCPeerConnection, no library. Loaded by a page of the test's own
// server; tests call what hangs on `globalThis.peers` by name.

const all = new Map();
let count = 0;

const colors = { red: [220, 30, 30], green: [30, 180, 30], blue: [40, 40, 220], yellow: [220, 220, 30] };

function keep(peer) {
  count += 1;
  const handle = `peer-${count}`;
  all.set(handle, peer);
  return handle;
}

function get(handle) {
  const peer = all.get(handle);
  if (!peer) throw new Error(`no ${handle}`);
  return peer;
}

/** A canvas of one colour with a moving bar, so that every frame differs, and a tone. */
function makeMedia({ color = 'red', hz = 440, width = 640, height = 360, hasAudio = true, hasVideo = true }) {
  const stream = new MediaStream();
  const media = { stream, color, stop: undefined };
  const stops = [];
  if (hasVideo) {
    const canvas = document.createElement('canvas');
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d');
    let tick = 0;
    const draw = () => {
      tick += 1;
      context.fillStyle = `rgb(${colors[media.color].join(',')})`;
      context.fillRect(0, 0, width, height);
      context.fillStyle = 'white';
      context.fillRect((tick * 7) % width, 0, 8, height / 8);
    };
    draw();
    const timer = setInterval(draw, 33);
    stops.push(() => clearInterval(timer));
    stream.addTrack(canvas.captureStream(30).getVideoTracks()[0]);
  }
  if (hasAudio) {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency: hz });
    const gain = new GainNode(context, { gain: 0.3 });
    const destination = new MediaStreamAudioDestinationNode(context);
    oscillator.connect(gain).connect(destination);
    oscillator.start();
    stops.push(() => void context.close());
    stream.addTrack(destination.stream.getAudioTracks()[0]);
  }
  media.stop = () => {
    for (const stop of stops) stop();
    for (const track of stream.getTracks()) track.stop();
  };
  return media;
}

function prefer(transceiver, mimeType) {
  if (!mimeType) return;
  const { codecs } = RTCRtpReceiver.getCapabilities(mimeType.split('/')[0]);
  const isWanted = (codec) => codec.mimeType.toLowerCase() === mimeType.toLowerCase();
  transceiver.setCodecPreferences(codecs.filter((codec) => isWanted(codec) || /rtx/.test(codec.mimeType)));
}

async function post(url, token, sdp) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/sdp', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: sdp,
  });
  const header = (name) => response.headers.get(name);
  return {
    status: response.status,
    body: await response.text(),
    location: header('location') && new URL(header('location'), url).href,
    etag: header('etag'),
    link: header('link'),
    acceptPatch: header('accept-patch'),
    contentType: header('content-type'),
    retryAfter: header('retry-after'),
  };
}

/** @returns {Promise<{handle: string, status: number}>} resolved once connected, or refused */
async function publish(options) {
  const media = makeMedia(options);
  const pc = new RTCPeerConnection();
  for (const track of media.stream.getTracks()) {
    const isVideo = track.kind === 'video';
    const sendEncodings =
      isVideo && options.rids
        ? options.rids.map((rid, i) => ({ rid, scaleResolutionDownBy: 2 ** (options.rids.length - 1 - i) }))
        : [{}];
    const transceiver = pc.addTransceiver(track, { direction: 'sendonly', streams: [media.stream], sendEncodings });
    if (isVideo) prefer(transceiver, options.videoCodec);
    else prefer(transceiver, options.audioCodec);
  }
  await pc.setLocalDescription();
  // Only the server sees it: the browser then takes whichever role the answer leaves it.
  const sdp = pc.localDescription.sdp.replaceAll('a=setup:actpass', `a=setup:${options.setup ?? 'actpass'}`);
  const result = await post(options.url, options.token, sdp);
  if (result.status !== 201) {
    pc.close();
    media.stop();
    return result;
  }
  await pc.setRemoteDescription({ type: 'answer', sdp: result.body });
  await connected(pc);
  return { ...result, handle: keep({ pc, media, result }) };
}

async function play(options) {
  const pc = new RTCPeerConnection();
  for (const kind of options.kinds ?? ['video', 'audio']) {
    prefer(pc.addTransceiver(kind, { direction: 'recvonly' }), kind === 'video' && options.videoCodec);
  }
  const view = makeView();
  const streamIds = new Set();
  pc.ontrack = ({ track, streams }) => {
    view.add(track);
    for (const { id } of streams) streamIds.add(id);
  };
  await pc.setLocalDescription();
  const result = await post(options.url, options.token, pc.localDescription.sdp);
  if (result.status !== 201) {
    pc.close();
    return result;
  }
  await pc.setRemoteDescription({ type: 'answer', sdp: result.body });
  await connected(pc);
  // Tracks of one stream are played in step.
  return { ...result, streamIds: [...streamIds], handle: keep({ pc, view, result }) };
}

function connected(pc) {
  if (pc.connectionState === 'connected') return undefined;
  return new Promise((resolve, reject) => {
    pc.addEventListener('connectionstatechange', () => {
      if (pc.connectionState === 'connected') resolve();
      if (pc.connectionState === 'failed') reject(new Error('connection failed'));
    });
  });
}

/** What a viewer sees and hears: a <video> whose pixels and spectrum can be read. */
function makeView() {
  const stream = new MediaStream();
  const video = document.createElement('video');
  video.muted = true;
  video.autoplay = true;
  video.playsInline = true;
  video.width = 320;
  document.body.append(video);
  video.srcObject = stream;
  const canvas = document.createElement('canvas');
  canvas.width = 16;
  canvas.height = 16;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  let analyser;
  return {
    stream,
    video,
    add(track) {
      for (const old of stream.getTracks()) if (old.kind === track.kind) stream.removeTrack(old);
      stream.addTrack(track);
      // Rejected when another track follows at once; autoplay goes on.
      video.play().catch(() => undefined);
      if (track.kind !== 'audio') return;
      void analyser?.context.close();
      const audio = new AudioContext();
      analyser = new AnalyserNode(audio, { fftSize: 4096, smoothingTimeConstant: 0 });
      new MediaStreamAudioSourceNode(audio, { mediaStream: new MediaStream([track]) }).connect(analyser);
    },
    color() {
      if (video.videoWidth === 0) return undefined;
      context.drawImage(video, 0, video.videoHeight / 2, video.videoWidth, video.videoHeight / 2, 0, 0, 16, 16);
      const [r, g, b] = context.getImageData(8, 8, 1, 1).data;
      const distance = (name) => Math.hypot(...colors[name].map((value, i) => value - [r, g, b][i]));
      const [nearest] = Object.keys(colors).sort((a, z) => distance(a) - distance(z));
      return distance(nearest) < 60 ? nearest : `rgb(${r},${g},${b})`;
    },
    /** Loudest frequency, undefined in silence. */
    tone() {
      if (!analyser) return undefined;
      const bins = new Float32Array(analyser.frequencyBinCount);
      analyser.getFloatFrequencyData(bins);
      const loudest = bins.reduce((best, level, i) => (level > bins[best] ? i : best), 0);
      return bins[loudest] > -60 ? (loudest * analyser.context.sampleRate) / analyser.fftSize : undefined;
    },
    size: () => ({ width: video.videoWidth, height: video.videoHeight }),
    remove() {
      video.remove();
      // A page has only so many.
      void analyser?.context.close();
    },
  };
}

/** Waits for a frame that satisfies; polls, since pixels and spectra tell nobody when they change. */
async function until(what, probe, timeoutMs = 40_000) {
  const deadline = performance.now() + timeoutMs;
  let last;
  while (performance.now() < deadline) {
    last = probe();
    if (last.ok) return last.value;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`not seen: ${what}; last: ${JSON.stringify(last?.value)}`);
}

const viewOf = ({ handle, stream }) => {
  const peer = get(handle);
  return stream === undefined ? peer.view : peer.views.get(stream);
};

const sees = (options) =>
  until(`colour ${options.color}`, () => {
    const value = viewOf(options)?.color();
    return { ok: value === options.color, value };
  });

const hears = (options) =>
  until(`tone of ${options.hz} Hz`, () => {
    const value = viewOf(options)?.tone();
    return { ok: value !== undefined && Math.abs(value - options.hz) < 25, value };
  });

const seesHeight = (options) =>
  until(
    `height ${options.height}`,
    () => {
      const value = viewOf(options)?.size();
      return { ok: value?.height === options.height, value };
    },
    options.timeoutMs,
  );

async function frames({ handle }) {
  const stats = [...(await get(handle).pc.getStats()).values()];
  const video = stats.filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
  return video.reduce((sum, { framesDecoded = 0 }) => sum + framesDecoded, 0);
}

/** What became of the packets and pictures that came, in words. */
async function videoReception({ handle }) {
  const stats = [...(await get(handle).pc.getStats()).values()];
  const video = stats.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video') ?? {};
  const keptMs = Math.round((1_000 * video.jitterBufferDelay) / video.jitterBufferEmittedCount);
  return (
    `${video.packetsReceived} packets, ${video.packetsLost} lost, ${video.nackCount} NACK, ${video.pliCount} PLI; ` +
    `${video.framesDecoded} decoded, ${video.framesDropped} dropped, kept for ${keptMs} ms, ${video.freezeCount} freezes`
  );
}

/** Of what arrives. */
async function videoCodecs({ handle }) {
  const stats = [...(await get(handle).pc.getStats()).values()];
  const inbound = stats.filter(({ type, kind }) => type === 'inbound-rtp' && kind === 'video');
  return inbound.map(({ codecId }) => stats.find(({ id }) => id === codecId)?.mimeType);
}

async function outbound({ handle }) {
  const stats = [...(await get(handle).pc.getStats()).values()];
  const codecs = new Map(stats.filter(({ type }) => type === 'codec').map((codec) => [codec.id, codec]));
  return stats
    .filter(({ type }) => type === 'outbound-rtp')
    .map(({ kind, rid, codecId, framesEncoded, packetsSent, frameHeight }) => ({
      kind,
      rid,
      mimeType: codecs.get(codecId)?.mimeType,
      framesEncoded,
      packetsSent,
      frameHeight,
    }));
}

/** Frames go on: more of them than there were. */
async function keepsPlaying({ handle, frameCount = 10 }) {
  const before = await frames({ handle });
  for (let i = 0; i < 200; i++) {
    if ((await frames({ handle })) >= before + frameCount) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`stood still at ${before} frames`);
}

/**
 * ICE restart by RFC 9725 §4.3.3: new credentials there and back by PATCH.
 * @param options.isHasty sets the offer before the server has answered, and gives the browser the time to try its new port
 * with the credentials that it knows
 */
async function restartIce({ handle, token, isHasty = false }) {
  const { pc, result } = get(handle);
  const offer = await pc.createOffer({ iceRestart: true });
  const own = (name) => new RegExp(`a=${name}:(.*)`).exec(offer.sdp)[0].trim();
  if (isHasty) {
    await pc.setLocalDescription(offer);
    await usesUfrag({ handle, end: 'local', ufrag: own('ice-ufrag').slice('a=ice-ufrag:'.length) });
  }
  const response = await fetch(result.location, {
    method: 'PATCH',
    headers: {
      'content-type': 'application/trickle-ice-sdpfrag',
      'if-match': '*',
      authorization: `Bearer ${token}`,
    },
    body: `${own('ice-ufrag')}\r\n${own('ice-pwd')}\r\n`,
  });
  const body = await response.text();
  if (response.status !== 200) return { status: response.status, body };
  const theirs = (name) => new RegExp(`a=${name}:(.*)`).exec(body)[1].trim();
  const sdp = result.body
    .replaceAll(/a=ice-ufrag:.*/g, `a=ice-ufrag:${theirs('ice-ufrag')}`)
    .replaceAll(/a=ice-pwd:.*/g, `a=ice-pwd:${theirs('ice-pwd')}`);
  const isNew = !result.body.includes(theirs('ice-ufrag'));
  // The second is queued behind the first: no port of the browser is ready before it knows what to pair it with.
  await Promise.all([isHasty || pc.setLocalDescription(offer), pc.setRemoteDescription({ type: 'answer', sdp })]);
  return { status: response.status, isNew, etag: response.headers.get('etag'), remoteUfrag: theirs('ice-ufrag') };
}

/** Until the pair in use is one with these credentials, by default of the server. */
function usesUfrag({ handle, ufrag, end = 'remote' }) {
  const { pc } = get(handle);
  const { transport } = [...pc.getSenders(), ...pc.getReceivers()].find((side) => side.transport);
  return until('new credentials in use', () => {
    const value = transport.iceTransport.getSelectedCandidatePair()?.[end].usernameFragment;
    return { ok: value === ufrag, value };
  });
}

/** How many checks of the pair in use the server has answered. */
async function checksAnswered({ handle }) {
  const stats = await get(handle).pc.getStats();
  const { selectedCandidatePairId } = [...stats.values()].find(({ type }) => type === 'transport');
  return stats.get(selectedCandidatePairId)?.responsesReceived ?? 0;
}

function recolor({ handle, color }) {
  get(handle).media.color = color;
}

/** @param options.isRude closes the connection without telling the server */
async function leave({ handle, isRude = false, token }) {
  const peer = get(handle);
  all.delete(handle);
  peer.view?.remove();
  for (const view of peer.views?.values() ?? []) view.remove();
  peer.media?.stop();
  peer.socket?.close();
  const response =
    isRude || !peer.result
      ? undefined
      : await fetch(peer.result.location, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } });
  peer.pc?.close();
  return response?.status;
}

const state = ({ handle }) => get(handle).pc.connectionState;

const disconnected = ({ handle }) =>
  until('end of the connection', () => {
    const value = get(handle).pc.connectionState;
    return { ok: value !== 'connected', value };
  });

// ── Plain SDP over a WebSocket ─────────────────────────────────────────────────────────────────────────────────────

/** The client of docs/protocols/plain-sdp.md, as a page without libraries would write it. */
async function join(options) {
  const socket = new WebSocket(options.url);
  const client = {
    socket,
    media: options.hasMedia === false ? undefined : makeMedia(options),
    pc: undefined,
    screen: undefined,
    views: new Map(),
    messages: [],
    offerCount: 0,
    isClosed: false,
    closeCode: undefined,
  };
  const handle = keep(client);
  socket.onclose = ({ code }) => {
    client.closeCode = code;
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('no socket'));
  });
  // One thing after the other: each may take several steps of the peer connection.
  client.queue = Promise.resolve();
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    client.messages.push(message);
    client.queue = client.queue.then(() => onMessage(client, options, message));
  };
  send(client, { type: 'join', roomId: options.room, token: options.token, name: options.name });
  const first = await received({ handle, type: ['joined', 'error'] });
  return { handle, ...first };
}

const send = (client, message) => client.socket.send(JSON.stringify(message));

async function onMessage(client, options, message) {
  if (message.type === 'request-offer') {
    if (['join', 'restart', 'connection-lost'].includes(message.reason)) startConnection(client, options);
    if (message.reason === 'screen-share') addScreen(client);
    await sendOffer(client, options);
  }
  if (message.type === 'answer') {
    await client.pc.setRemoteDescription({ type: 'answer', sdp: message.sdp });
    mapStreams(client, message.streams);
  }
  if (message.type === 'offer') {
    // The impolite peer: its own offer, on its way, comes first.
    if (client.pc.signalingState !== 'stable') return;
    await client.pc.setRemoteDescription({ type: 'offer', sdp: message.sdp });
    await client.pc.setLocalDescription();
    send(client, { type: 'answer', sdp: client.pc.localDescription.sdp, offerId: message.offerId });
    mapStreams(client, message.streams);
  }
}

function startConnection(client, options) {
  client.pc?.close();
  for (const view of client.views.values()) view.remove();
  client.views.clear();
  client.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  for (const track of client.media?.stream.getTracks() ?? []) {
    const sendEncodings =
      track.kind === 'video' && options.rids
        ? options.rids.map((rid, i) => ({ rid, scaleResolutionDownBy: 2 ** (options.rids.length - 1 - i) }))
        : [{}];
    client.pc.addTransceiver(track, { direction: 'sendrecv', streams: [client.media.stream], sendEncodings });
  }
  for (const kind of options.slots ?? []) client.pc.addTransceiver(kind, { direction: 'recvonly' });
  client.pc.onicecandidate = ({ candidate }) => send(client, { type: 'ice-candidate', candidate });
}

async function sendOffer(client, { room }) {
  await client.pc.setLocalDescription();
  client.offerCount += 1;
  send(client, { type: 'offer', roomId: room, sdp: client.pc.localDescription.sdp });
}

function addScreen(client) {
  client.screen = makeMedia({ color: client.nextScreenColor, hasAudio: false, width: 320, height: 240 });
  client.screenSender = client.pc.addTrack(client.screen.stream.getVideoTracks()[0], client.screen.stream);
}

/** Views by `participant:kind:source`, so that tests can name them. */
function mapStreams(client, streams) {
  const wanted = new Map(streams.map((stream) => [`${stream.displayName}:${stream.source}`, stream.mid]));
  for (const [name, view] of client.views) {
    if (wanted.get(name) === view.mid) continue;
    view.remove();
    client.views.delete(name);
  }
  for (const [name, mid] of wanted) {
    if (client.views.has(name)) continue;
    const { receiver } = client.pc.getTransceivers().find((transceiver) => transceiver.mid === mid);
    const view = makeView();
    view.mid = mid;
    view.add(receiver.track);
    client.views.set(name, view);
  }
}

/** The first message of that type, or of one of them, that came or comes. */
function received({ handle, type, reason }) {
  const types = [type].flat();
  return until(`message ${types.join(' or ')}`, () => {
    const { messages } = get(handle);
    const value = messages.find((message) => types.includes(message.type) && (!reason || message.reason === reason));
    return { ok: value !== undefined, value: value ?? messages.map((message) => message.type) };
  });
}

const messages = ({ handle, type }) => get(handle).messages.filter((message) => !type || message.type === type);

const viewNames = ({ handle }) => [...get(handle).views.keys()].sort();

const hasViews = ({ handle, names }) =>
  until(`views ${names.join(', ')}`, () => {
    const value = viewNames({ handle });
    return { ok: JSON.stringify(value) === JSON.stringify([...names].sort()), value };
  });

function shareScreen({ handle, color }) {
  const client = get(handle);
  client.nextScreenColor = color;
  send(client, { type: 'start-screen-share' });
}

/** @param options.isLazy tells the server only, and leaves its SDP as it is */
async function stopScreen({ handle, room, isLazy = false }) {
  const client = get(handle);
  send(client, { type: 'stop-screen-share' });
  client.screen.stop();
  if (isLazy) return;
  client.pc.removeTrack(client.screenSender);
  await offerNow({ handle, room });
}

const tell = ({ handle, message }) => send(get(handle), message);

/** Sends an offer at once if it may, whatever is on its way from the server: half of a glare. */
function offerNow({ handle, room }) {
  const client = get(handle);
  client.queue = client.queue.then(() => {
    if (client.pc.signalingState === 'stable') return sendOffer(client, { room });
  });
  return client.queue;
}

const connectionUp = ({ handle }) =>
  until('connection', () => {
    const value = get(handle).pc?.connectionState;
    return { ok: value === 'connected', value };
  });

const lines = ({ handle }) => get(handle).pc.localDescription.sdp.match(/^m=/gm).length;

const closed = ({ handle }) =>
  until('end of the socket', () => {
    const value = get(handle).closeCode;
    return { ok: value !== undefined, value };
  });

const functions = {
  join,
  received,
  messages,
  hasViews,
  shareScreen,
  stopScreen,
  tell,
  offerNow,
  connectionUp,
  lines,
  closed,
  publish,
  play,
  sees,
  hears,
  seesHeight,
  frames,
  outbound,
  videoCodecs,
  videoReception,
  keepsPlaying,
  restartIce,
  usesUfrag,
  checksAnswered,
  recolor,
  leave,
  state,
  disconnected,
};
globalThis.peers = functions;
