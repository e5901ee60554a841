// Owns: every setting there is, with its default and its words. docs/config.md and gateway.example.yaml are made from
// this. May import: zod.
import { z } from 'zod';
import { overload } from './overload.ts';
import { recordings } from './recordings.ts';
import { sip } from './sip.ts';
import { telemetry } from './telemetry.ts';
import { milliseconds, port } from './values.ts';

const http = z.strictObject({
  host: z.string().default('0.0.0.0').describe('Address to listen on; "::" for IPv6 and IPv4.'),
  port: port.default(8080).describe('API, console, signalling, WHIP and WHEP. 0 picks a free port.'),
  isEnabled: z.boolean().default(true).describe('Turns plain HTTP off; HTTPS stays.'),
  publicUrl: z.url().optional().describe('How the world reaches this server, for links: https://meet.example.org'),
  maxBodyBytes: z.int().positive().default(1_048_576).describe('Longest request body; past it 413.'),
  maxHeaderBytes: z.int().min(4_096).max(262_144).default(16_384).describe('All headers of a request; past it 431.'),
  headersTimeoutMs: milliseconds.default(15_000).describe('A client that takes longer to send its headers gets 408.'),
  requestTimeoutMs: milliseconds.default(60_000).describe('The same for a whole request with its body.'),
  trustedProxies: z.array(z.string()).default([]).describe('Addresses whose X-Forwarded-For is believed.'),
  corsOrigins: z
    .array(z.string())
    .default(['*'])
    .describe('Origins that browsers may call the API and WHIP/WHEP from.'),
});

const https = z.strictObject({
  port: port.default(8443).describe('The same over TLS. Browsers give cameras to HTTPS pages and localhost only.'),
  isEnabled: z.boolean().default(true).describe('Turns HTTPS off.'),
  certificateFile: z.string().optional().describe('PEM chain; a self-signed one is made at first start if absent.'),
  privateKeyFile: z.string().optional().describe('PEM key of that certificate.'),
});

const metrics = z.strictObject({
  port: port.default(9090).describe('/metrics alone, without a credential, for the scraper.'),
  host: z.string().default('127.0.0.1').describe('Address for it; loopback unless you open it.'),
  isEnabled: z.boolean().default(true).describe('Turns that port off; /metrics on HTTP stays and asks for a key.'),
});

const issuer = z
  .strictObject({
    issuer: z.string().min(1).describe('Claim `iss` of its tokens.'),
    audience: z.string().optional().describe('Claim `aud` that they must have.'),
    jwksUrl: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('Where its keys are published (JWKS).'),
    jwksFile: z.string().optional().describe('The same in a file.'),
    scopes: z
      .array(z.string())
      .default(['tokens:write'])
      .describe('What its tokens may give at the most; tokens:write lets them name rooms to join.'),
  })
  .refine(({ jwksUrl, jwksFile }) => (jwksUrl === undefined) !== (jwksFile === undefined), 'has jwksUrl or jwksFile');

const auth = z.strictObject({
  adminKey: z
    .string()
    .min(16)
    .optional()
    .describe('Admin key to use instead of making one. Better set by environment.'),
  tokenTtlMs: milliseconds.default(6 * 3_600_000).describe('How long a join token is good for unless it says.'),
  sessionTtlMs: milliseconds.default(12 * 3_600_000).describe('How long the console stays signed in.'),
  issuers: z
    .array(issuer)
    .default([])
    .describe('Others whose tokens are taken: RS, PS, ES and EdDSA, by the keys that they publish.'),
});

const limits = z.strictObject({
  requestsPerMinute: z.int().positive().default(600).describe('API requests per address, then 429.'),
  requestsPerMinutePerKey: z.int().positive().default(6_000).describe('API requests with one key, from wherever.'),
  roomsPerMinute: z.int().positive().default(300).describe('Rooms made by the API, per key and per address.'),
  tokensPerMinute: z.int().positive().default(1_200).describe('Join tokens made by the API, per key and per address.'),
  failedLoginsPerMinute: z.int().positive().default(10).describe('Wrong credentials per address, then 429.'),
  joinsPerMinute: z.int().positive().default(300).describe('Room joins per address: WebSocket, WHIP, WHEP, HLS.'),
  messagesPerSecond: z.int().positive().default(50).describe('Signalling messages per connection, on average.'),
  maxMessageBytes: z.int().positive().default(262_144).describe('Longest signalling message or SDP.'),
  maxConnections: z.int().positive().default(10_000).describe('Signalling connections at once.'),
  maxConnectionsPerAddress: z
    .int()
    .positive()
    .default(2_000)
    .describe('HTTP and WebSocket connections of one address that is none of http.trustedProxies.'),
});

const rooms = z.strictObject({
  initial: z.array(z.string()).default(['demo']).describe('Rooms made at first start.'),
  maxParticipants: z.int().min(-1).default(-1).describe('Default for new rooms; -1 is no limit.'),
  inputLimit: z.int().min(-1).default(-1).describe('Default for new rooms: streams published at once.'),
  lastN: z.int().min(-1).default(-1).describe('Default for new rooms: camera videos a receiver gets; -1 is all.'),
  emptyTimeoutMs: milliseconds
    .default(30_000)
    .describe('Default for new rooms: closes so long after the last one left.'),
  resumeGraceMs: milliseconds.default(60_000).describe('Keeps the place and media of whoever lost its connection.'),
});

const announced = z.strictObject({
  ip: z.string().describe('Address of this machine to listen on, or 0.0.0.0.'),
  announcedAddress: z.string().optional().describe('Public address or name that clients are told, behind NAT.'),
});

const sfu = z.strictObject({
  workers: z.int().min(0).max(256).default(0).describe('mediasoup workers; 0 is one per core.'),
  firstPort: port.default(44_400).describe('One port per worker from here, UDP and TCP. 0 picks free ones.'),
  listen: z
    .array(announced)
    .default([])
    .describe('Addresses for media. Empty: every address of this machine, loopback included.'),
  hasUdp: z.boolean().default(true).describe('Media by UDP.'),
  hasTcp: z.boolean().default(true).describe('Media by ICE-TCP for clients that UDP does not reach.'),
  initialOutgoingBps: z.int().positive().default(1_000_000).describe('Bandwidth estimate to begin with, bit/s.'),
  maxIncomingBps: z.int().positive().default(10_000_000).describe('Most that one sender is asked to send, bit/s.'),
  maxConsumersPerRouter: z.int().positive().default(400).describe('A room that has more spreads to another worker.'),
  logLevel: z.enum(['debug', 'warn', 'error', 'none']).default('warn').describe('Of the mediasoup workers.'),
  workerBin: z.string().optional().describe('mediasoup-worker to run; the set-up passes the one it keeps.'),
});

const iceServer = z.strictObject({
  urls: z
    .array(z.string().regex(/^(stun|stuns|turn|turns):/))
    .min(1)
    .describe('turn:turn.example.org:3478?transport=udp'),
  username: z.string().optional().describe('Static user.'),
  credential: z.string().optional().describe('Static password.'),
  secret: z.string().optional().describe('Shared secret of a TURN server with time-limited credentials (TURN REST).'),
  ttlMs: milliseconds.default(86_400_000).describe('How long those are good for.'),
});

const ice = z.strictObject({
  servers: z.array(iceServer).default([]).describe('STUN and TURN servers handed to clients.'),
});

const webrtc = z.strictObject({
  maxSessions: z.int().positive().default(2_000).describe('WHIP sessions at once, and WHEP sessions as many again.'),
  connectTimeoutMs: milliseconds.default(15_000).describe('Lets go of a peer whose media connection does not come up.'),
  disconnectTimeoutMs: milliseconds
    .default(15_000)
    .describe('Lets go of a peer that is gone, counted from when that is noticed (30 s without a sign of life).'),
  idleTimeoutMs: milliseconds.default(60_000).describe('Lets go of a WHEP player that has had nothing to play.'),
  onDemandWaitMs: milliseconds.default(10_000).describe('Longest wait of a WHEP player for a stream pulled on demand.'),
});

const media = z.strictObject({
  workers: z.int().min(0).max(256).default(0).describe('Most media workers (transcoding, mixing); 0 is one per core.'),
  maxLoadPercent: z
    .int()
    .min(10)
    .max(100)
    .default(80)
    .describe('Of a core: a media worker takes no more jobs past it.'),
  maxWorkerBytes: z
    .int()
    .positive()
    .default(1_500_000_000)
    .describe('Memory: a media worker takes no more jobs past it.'),
});

const ingress = z.strictObject({
  graceMs: milliseconds
    .default(60_000)
    .describe('Keeps the participant and its tile so long after its publisher was lost; the next one takes them up.'),
  startTimeoutMs: milliseconds.default(20_000).describe('A publisher that has sent no media by then is let go.'),
  stallTimeoutMs: milliseconds.default(3_000).describe('Counts as stalled after so long without media.'),
  latency: z
    .enum(['smooth', 'low'])
    .default('smooth')
    .describe('Of sources that say nothing about it; low: pictures do not wait to be in step with their sound.'),
  onDemandLingerMs: milliseconds.default(10_000).describe('On-demand sources stop so long after the last viewer left.'),
  maxPerRoom: z.int().positive().default(64).describe('Most sources that are pulled into one room.'),
  mediaFolder: z
    .string()
    .min(1)
    .optional()
    .describe('Folder whose files may be played into rooms, by file:///name.mp4; without it, none may.'),
});

const egress = z.strictObject({
  maxPerRoom: z.int().positive().default(16).describe('Most streams that leave one room (streaming-outs).'),
  maxAnalysesPerRoom: z.int().positive().default(8).describe('Most analyses (analytics) that run in one room.'),
  folders: z
    .array(z.string())
    .default([])
    .describe('Folders in which HLS and DASH may be written for another server: file:///var/www/live/….'),
});

const netPolicy = z.strictObject({
  allow: z
    .array(z.string())
    .default([])
    .describe('Address ranges to reach although they are loopback, link-local or the like: 127.0.0.1, 10.0.0.0/8'),
  deny: z.array(z.string()).default([]).describe('Address ranges never to reach, whatever `allow` says.'),
  otherwise: z.enum(['allow', 'deny']).default('allow').describe('deny: only what `allow` names is reached at all.'),
  ports: z.array(z.int().min(1).max(65535)).default([]).describe('Ports that may be reached; empty is all.'),
});

const rtmp = z.strictObject({
  isEnabled: z.boolean().default(true).describe('Turns RTMP and RTMPS off.'),
  host: z.string().default('0.0.0.0').describe('Address to listen on; "::" for IPv6 and IPv4.'),
  port: port.default(1935).describe('Encoders push here: rtmp://host/live/{stream key}. 0 picks a free port.'),
  tlsIsEnabled: z.boolean().default(true).describe('Turns RTMPS alone off.'),
  tlsPort: port.default(1936).describe('The same over TLS, with the certificate of HTTPS.'),
  publicHost: z.string().optional().describe('Name that encoders are told, if it is not that of http.publicUrl.'),
  maxConnections: z.int().positive().default(2_000).describe('RTMP connections at once.'),
  maxConnectionsPerAddress: z.int().positive().default(64).describe('Of one address.'),
});

const rtsp = z.strictObject({
  isEnabled: z.boolean().default(true).describe('Turns RTSP and RTSPS off.'),
  host: z.string().default('0.0.0.0').describe('Address to listen on; "::" for IPv6 and IPv4.'),
  port: port
    .default(8554)
    .describe(
      'Encoders push to rtsp://host:8554/live/{stream key}, players play rtsp://host:8554/{room}. 0: a free port.',
    ),
  tlsIsEnabled: z.boolean().default(true).describe('Turns RTSPS alone off.'),
  tlsPort: port.default(8322).describe('The same over TLS, with the certificate of HTTPS.'),
  maxConnections: z.int().positive().default(2_000).describe('RTSP connections at once.'),
  maxPlayers: z.int().min(0).default(500).describe('Players at once; 0 lets nobody play.'),
  maxConnectionsPerAddress: z.int().positive().default(64).describe('Of one address.'),
});

const srt = z.strictObject({
  isEnabled: z.boolean().default(true).describe('Turns SRT off.'),
  host: z.string().default('0.0.0.0').describe('Address to listen on; "::" for IPv6 and IPv4.'),
  port: port
    .default(8890)
    .describe('UDP. Encoders push here: srt://host:8890?streamid={stream key}. 0 picks a free one.'),
  latencyMs: z
    .int()
    .min(20)
    .max(8_000)
    .default(200)
    .describe('Lost packets are waited for so long, or longer if the encoder says so; four round trips are good.'),
  passphrase: z
    .string()
    .min(10)
    .max(79)
    .optional()
    .describe('Media must be encrypted with it, unless its stream key has a passphrase of its own.'),
  maxConnections: z.int().positive().default(2_000).describe('SRT connections at once.'),
  maxConnectionsPerAddress: z.int().positive().default(64).describe('Of one address.'),
});

const rtp = z.strictObject({
  listenAddress: z
    .string()
    .default('0.0.0.0')
    .describe('Address of this machine for RTP; "::" for IPv6 calls is implied.'),
  announcedAddress: z.string().optional().describe('Public address that phones are told, behind NAT.'),
  localNetworks: z
    .array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]))
    .optional()
    .describe('Networks (CIDR) that are told the local address instead; the private ones if absent.'),
  firstPort: port.default(20_000).describe('RTP by UDP of SIP and RTSP: first port; even ones RTP, odd ones RTCP.'),
  lastPort: port.default(29_999).describe('Last port of that range.'),
  restMs: milliseconds.default(5_000).describe('A port that was in use rests so long: late packets of the last call.'),
  timeoutMs: milliseconds.default(30_000).describe('A phone that is to send and is silent for so long has gone.'),
});

const mix = z.strictObject({
  loudest: z.int().min(1).max(1_000).default(3).describe('Voices heard at once in a room; the rest is not mixed.'),
  promptsFolder: z
    .string()
    .optional()
    .describe(
      'Your recordings, <language>/<prompt>.<wav, mp3, ogg, flac, m4a …>, read at start; ours where one is missing.',
    ),
  language: z.enum(['en', 'es', 'zh']).default('en').describe('Of prompts, unless a rule says otherwise.'),
});

const log = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('Least that is written.'),
  format: z.enum(['auto', 'pretty', 'json']).default('auto').describe('auto: pretty on a terminal, JSON otherwise.'),
});

const events = z.strictObject({
  retentionMs: milliseconds.default(7 * 86_400_000).describe('How long events can be read again.'),
  maxCount: z.int().positive().default(1_000_000).describe('The newest so many are kept at the most.'),
  auditRetentionMs: milliseconds.default(90 * 86_400_000).describe('How long it can be read who did what.'),
  auditMaxCount: z.int().positive().default(1_000_000).describe('The newest so many of these are kept at the most.'),
  maxFollowers: z.int().positive().default(500).describe('Clients that follow events at once.'),
});

const webhooks = z.strictObject({
  timeoutMs: milliseconds.default(10_000).describe('How long a receiver may take to answer.'),
  firstRetryMs: milliseconds.default(1_000).describe('Wait after the first failure; it doubles with each.'),
  maxRetryMs: milliseconds.default(600_000).describe('Longest wait between attempts.'),
  giveUpAfterMs: milliseconds
    .default(86_400_000)
    .describe('An event that could not be delivered for so long is given up.'),
  maxInFlight: z.int().positive().default(8).describe('Requests to one receiver at once.'),
  maxPending: z.int().positive().default(100_000).describe('Events that wait for one receiver.'),
  maxCount: z.int().positive().default(100).describe('Webhooks.'),
});

const hls = z.strictObject({
  isEnabled: z.boolean().default(true).describe('Turns /hls, /dash and /fmp4 off.'),
  partMs: z.int().min(100).max(1_000).default(300).describe('Low-latency HLS: parts are no longer than this.'),
  segmentMs: z
    .int()
    .min(1_000)
    .max(10_000)
    .default(2_000)
    .describe('Segments are so long, or to the next key frame; views get one so often.'),
  maxHeight: z
    .int()
    .min(90)
    .max(2_160)
    .multipleOf(2)
    .default(720)
    .describe('Pictures are no higher; smaller ones cost less of CPU and network.'),
  ladder: z
    .array(z.int().min(90).max(2_160).multipleOf(2))
    .max(5)
    .default([])
    .describe(
      'Heights of further, smaller encodings for HLS and DASH, [360, 180]; a view may say its own. Each costs CPU.',
    ),
  windowMs: z.int().min(6_000).max(600_000).default(30_000).describe('Players may be so far behind.'),
  lingerMs: milliseconds.default(20_000).describe('A broadcast ends so long after the last who watched it.'),
  startTimeoutMs: milliseconds.default(15_000).describe('The first viewer waits so long for something to see.'),
  maxBroadcasts: z.int().positive().default(50).describe('Rooms and streams that go out this way at a time.'),
  maxViewers: z.int().positive().default(2_000).describe('Players of HLS and DASH at a time.'),
  maxBytesPerBroadcast: z
    .int()
    .positive()
    .default(64_000_000)
    .describe('Memory for its window; the oldest goes first.'),
  maxBytesPerViewer: z
    .int()
    .positive()
    .default(2_000_000)
    .describe('fMP4: a viewer who lets more wait is taken to the next key frame.'),
});

const shutdown = z.strictObject({
  drainTimeoutMs: milliseconds.default(10_000).describe('SIGTERM: ends what is left after this. SIGINT ends at once.'),
});

export const configSchema = z.strictObject({
  data: z.string().default('./data').describe('Folder for everything that is written.'),
  http: http.prefault({}).describe('HTTP server.'),
  https: https.prefault({}).describe('HTTPS server.'),
  metrics: metrics.prefault({}).describe('Prometheus metrics.'),
  auth: auth.prefault({}).describe('Keys and tokens.'),
  limits: limits.prefault({}).describe('What one address or connection may do.'),
  overload: overload.prefault({}).describe('What is refused while there is too much to do.'),
  rooms: rooms.prefault({}).describe('Rooms.'),
  sfu: sfu.prefault({}).describe('WebRTC media.'),
  ice: ice.prefault({}).describe('STUN and TURN.'),
  webrtc: webrtc.prefault({}).describe('Peers by WHIP, WHEP and plain SDP.'),
  media: media.prefault({}).describe('Work on media: ingress, transcoding.'),
  ingress: ingress.prefault({}).describe('Media that comes into rooms from encoders, cameras and servers.'),
  egress: egress.prefault({}).describe('Media that leaves rooms.'),
  netPolicy: netPolicy.prefault({}).describe('Where URLs that users give may lead (SSRF).'),
  rtmp: rtmp.prefault({}).describe('RTMP server.'),
  rtsp: rtsp.prefault({}).describe('RTSP server.'),
  srt: srt.prefault({}).describe('SRT listener.'),
  hls: hls.prefault({}).describe('Rooms watched without WebRTC: HLS, DASH, fMP4 over HTTP and WebSocket.'),
  rtp: rtp.prefault({}).describe('Plain RTP: calls and RTSP by UDP.'),
  sip: sip.prefault({}).describe('Phones: SIP signalling.'),
  mix: mix.prefault({}).describe('What phones hear.'),
  recordings: recordings.prefault({}).describe('Recordings of rooms.'),
  events: events.prefault({}).describe('What happened, for applications.'),
  webhooks: webhooks.prefault({}).describe('Servers that are told of events; netPolicy says which may be reached.'),
  log: log.prefault({}).describe('Logging.'),
  telemetry: telemetry.prefault({}).describe('Traces.'),
  shutdown: shutdown.prefault({}).describe('Ending.'),
});

export type Config = z.output<typeof configSchema>;
export type HttpsConfig = Config['https'];
export type SfuConfig = Config['sfu'];
export type WebRtcConfig = Config['webrtc'];
export type MediaConfig = Config['media'];
export type RtpConfig = Config['rtp'];
export type MixConfig = Config['mix'];
export type LimitsConfig = Config['limits'];
export type AuthConfig = Config['auth'];
export type SipConfig = Config['sip'];
export type HlsConfig = Config['hls'];
export type LogConfig = Config['log'];
