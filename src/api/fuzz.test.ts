// Thousands of requests that mean no good: each gets an answer of the contract, none a 500, and the process lives.
import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { test } from 'vitest';
import type { Participant } from '#core/participant.ts';
import type { RecordingSettings } from '#core/recording-record.ts';
import type { StreamingInSettings } from '#core/streaming-in.ts';
import type { StreamingOutSettings } from '#core/streaming-out.ts';
import { commonView } from '#core/view-settings.ts';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';
import { deliveryId } from './event-views.ts';

/**
 * The long run, and one that goes as another went:
 *   SWITCHYARD_FUZZ_RUNS=100000 SWITCHYARD_FUZZ_SEED=1 node scripts/run.mjs vitest run src/api/fuzz.test.ts
 */
const runs = Number(process.env.SWITCHYARD_FUZZ_RUNS ?? 3_000);
const seed = Number(process.env.SWITCHYARD_FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Words that a route may know, so that the requests get further than the first check. */
const words = [
  ...['demo', 'DEMO', 'other', 'new', '__proto__', 'constructor', '..', '%00', '%2e%2e%2f', '\u{1F600}', ' '],
  ...['viewer', 'moderator', 'admin', 'rooms:read', 'audio', 'video', '*', '"1"', 'W/"1"', '2030-01-01T00:00:00Z'],
];

const fields = [
  ...['name', 'displayName', 'maxParticipants', 'inputLimit', 'lastN', 'emptyTimeoutMs', 'roles', 'metadata', 'role'],
  ...[
    'permissions',
    'isMuted',
    'isHandRaised',
    'user',
    'attributes',
    'ttlMs',
    'text',
    'to',
    'scopes',
    'expiresAt',
    'code',
  ],
  ...['url', 'media', 'transport', 'onDemand', 'isEnabled', 'room', 'protocol', 'onConflict'],
  ...['publish', 'subscribe', 'chat', 'moderate', 'audio', 'video', 'data', '__proto__', 'constructor', 'toString'],
];

const word = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...words) },
  fc.string({ maxLength: 20, unit: 'binary' }),
);
const number = fc.constantFrom(-2, -1, 0, 1, 2, 0.5, 1e3, 1e9, 2 ** 31, 2 ** 53, 1e308, -0);

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc.oneof(word, number, fc.boolean(), fc.constant(null)),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...fields), word), tie('value'), { maxKeys: 6 }),
  ),
}));

const rawBody = fc.oneof(
  fc.constantFrom('', '{', '[]', 'null', '{"name":"a","name":"b"}', '{"__proto__":{"x":1}}', '\u0000', '1e999'),
  fc.constant(`${'['.repeat(900)}`),
  fc.constant(JSON.stringify({ name: 'x'.repeat(1_000) })),
  fc.string({ maxLength: 50, unit: 'binary' }),
);

const contentType = fc.constantFrom(
  'application/json',
  'application/merge-patch+json',
  'application/json; charset=utf-16',
  'application/JSON;x',
  'text/plain',
  'multipart/form-data',
  'application/x-www-form-urlencoded',
  '/',
);

const header = fc.string({ maxLength: 30, unit: 'grapheme-ascii' }).map((text) => text.trim());

const all = { audio: true, video: true, data: true };

/** Bodies that fit, of which one field or none is then replaced. */
const avatarImage =
  'iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR4nGNQOKFAEmIY1TCqYfhqAABavAgQaYThgAAAAABJRU5ErkJggg==';

const samples: Record<string, object> = {
  'POST /api/rooms': {
    name: 'new',
    sip: { pin: '4711' },
    lastN: 2,
    selectActiveAudio: true,
    announcesAudience: false,
    announcesStreams: false,
    roles: [{ role: 'x' }],
    metadata: { a: 'b' },
  },
  'PATCH /api/rooms/{room}': { displayName: 'New', maxParticipants: null, metadata: { a: null }, sip: { pin: null } },
  'PATCH /api/rooms/{room}/participants/{participant}': {
    displayName: 'Al',
    permissions: { publish: all, subscribe: all, chat: true, moderate: false },
    isMuted: { audio: true },
  },
  'PATCH /api/rooms/{room}/streams/{stream}': { isMuted: true, inViews: [] },
  'PUT /api/rooms/{room}/participants/{participant}/avatar': { image: avatarImage },
  'PATCH /api/rooms/{room}/subscriptions/{subscription}': { format: { resolution: 'x1/2', bitrate: null } },
  'POST /api/rooms/{room}/tokens': { user: 'u', role: 'viewer', ttlMs: 60_000 },
  'POST /api/rooms/{room}/guest-tokens': { pin: '2468', name: 'Ada' },
  'POST /api/rooms/{room}/messages': { text: 'Hello' },
  'POST /api/rooms/{room}/streaming-ins': { url: 'rtsp://u:p@camera.example/x', media: { audio: false } },
  'PATCH /api/rooms/{room}/streaming-ins/{streamingIn}': { name: 'Gate', onDemand: false },
  'POST /api/rooms/{room}/streaming-outs': { url: 'rtmp://live.example/app/key', source: { mix: true } },
  'PATCH /api/rooms/{room}/streaming-outs/{streamingOut}': { name: 'Show', isPaused: true, video: { width: 640 } },
  'POST /api/rooms/{room}/recordings': { source: { kind: 'room' }, format: 'webm', fileName: '{room}/{part}' },
  'POST /api/rooms/{room}/recording/start': { video: 'off', name: 'Talk' },
  'PATCH /api/rooms/{room}/recordings/{recording}': { isPaused: true },
  'POST /api/rooms/{room}/bridges': { to: 'wing', video: false },
  'PATCH /api/rooms/{room}/bridges/{bridge}': { hears: false, audio: true },
  'POST /api/rooms/{room}/sipcalls': { to: 'sip:a@phone.example', headers: { 'X-A': 'b' }, ringTimeoutMs: 2_000 },
  'POST /api/rooms/{room}/sipcalls/{sipCall}/recording/start': { sound: 'mixed', name: 'Call' },
  'POST /api/rooms/{room}/sipcalls/{sipCall}/move': { room: 'demo' },
  'POST /api/rooms/{room}/sipcalls/{sipCall}/transfer': { kind: 'blind', to: 'sip:b@phone.example' },
  'PATCH /api/rooms/{room}/sipcalls/{sipCall}': { isMuted: true, video: false, isHeld: false, dtmf: '1#' },
  'POST /api/sip/dispatch-rules': { number: '+4930', room: 'demo', pin: '4711', order: 5 },
  'PUT /api/sip/dispatch-rules/{rule}': { pattern: '\\d+', reject: { status: 603, reason: 'No.' } },
  'POST /api/sip/dispatch/simulate': { to: 'sip:demo@host', from: '+49', source: '192.0.2.1', headers: { a: 'b' } },
  'POST /api/sip/bans': { address: '198.51.100.0/24', durationSec: 60 },
  'POST /api/sip/accounts': { username: 'new', password: 'p', displayName: 'New' },
  'PUT /api/sip/accounts/{account}': { username: 'bob', maxContacts: 2 },
  'POST /api/sip/trunks': { name: 'new', outbound: { hosts: ['a.example'], username: 'u', password: 'p' } },
  'PUT /api/sip/trunks/{trunk}': { name: 'pbx', inbound: { addresses: ['192.0.2.0/24'], maxCalls: 3 } },
  'POST /api/stream-keys': { room: 'demo', name: 'OBS' },
  'PATCH /api/sip/dispatch-rules/{rule}': { number: '+49', order: null, pin: null, time: { days: ['mon'] } },
  'PATCH /api/sip/accounts/{account}': { displayName: null, isEnabled: false },
  'PATCH /api/sip/trunks/{trunk}': { inbound: { maxCalls: null }, media: null },
  'PATCH /api/stream-keys/{streamKey}': { name: 'Show', onConflict: null, latency: 'low' },
  'POST /api/rooms/{room}/views': { name: 'wide', hasAudio: false },
  'PATCH /api/rooms/{room}/views/{view}': {},
  'POST /api/nodes/{node}/drain': { reason: 'Upgrade', timeoutMs: 60_000 },
  'POST /api/rooms/{room}/analytics': { source: { mix: true }, detectors: { silence: { minDurationMs: 500 } } },
  'POST /api/webhooks': { url: 'http://127.0.0.1:9/', types: ['room.*'], room: 'demo' },
  'PATCH /api/webhooks/{webhook}': { description: 'x', room: null, isEnabled: true },
  'POST /api/webhooks/{webhook}/rotate-secret': { keepOldMs: 0 },
  'POST /api/webhooks/{webhook}/replay': { after: 'EV_000000000001_abcdef', limit: 3 },
  'PATCH /api/keys/{key}': { name: 'New', expiresAt: null },
  'POST /api/keys/{key}/rotate': { keepOldMs: 1 },
  'POST /api/keys': { name: 'k', scopes: ['rooms:read'] },
};

const someCamera: Omit<StreamingInSettings, 'url'> = {
  ...{ name: 'Camera', startTimeoutMs: 1_000, stallTimeoutMs: 1_000, isOnDemand: false, isEnabled: true },
  ...{ audio: 'auto', video: 'auto', videoCodec: 'auto', transport: 'auto' },
};

const somePush: Omit<StreamingOutSettings, 'targets'> = {
  ...{ name: 'Show', source: { kind: 'mix' }, hasAudio: true, hasVideo: true, audioCodec: 'aac' },
  ...{ video: { keyFrameIntervalS: 2 }, transport: 'tcp', isEnabled: true },
};

const someRecording: RecordingSettings = {
  ...{ source: { kind: 'room' }, hasAudio: true, video: 'off', format: 'm4a', audioCodec: 'aac' },
  ...{ template: '{room}-{part}', isUploaded: false, deletesAfterUpload: false },
};

/** null so many times as often as a value. */
const rarely = <T>(times: number, arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: times, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

const replacement = rarely(1, fc.tuple(fc.constantFrom(...fields), value));

test(
  'no request is answered with 500, and every answer is in the contract',
  async () => {
    const {
      call,
      rooms,
      admin,
      tokenFor,
      keyWith,
      contract,
      log,
      ingest,
      streamingOuts,
      analyses,
      calls,
      bridges,
      sip,
      webhooks,
      eventLog,
      auth,
      recordings,
      meetings,
      nodes,
    } = await someApi({
      config: { http: { maxBodyBytes: 1_000 }, netPolicy: { allow: ['127.0.0.1'], otherwise: 'deny' } },
    });
    if (runs > 3_000) console.info(`${runs} requests, seed ${seed}`);
    const patterns = contract.routes.map(({ method, path }) => ({ method: method.toUpperCase(), path }));
    let ids: Record<string, string> = {};
    let avatarOwner: Participant | undefined;
    let credentials: Record<string, string> = {};

    /** One to be changed and deleted; its receiver is not there, so that its deliveries wait. */
    const refillKey = async () => {
      const isThere = ids.key !== undefined && (await auth.keys.find(ids.key));
      if (!isThere)
        ids = { ...ids, key: (await auth.keys.create({ name: 'Changed', scopes: ['rooms:read'] })).info.id };
    };

    const refillWebhook = async () => {
      const [known] = webhooks.list();
      const input = { url: 'http://127.0.0.1:9/', description: '', types: [], roomId: undefined, isEnabled: true };
      const id = known?.record.id ?? (await webhooks.create(input)).entry.record.id;
      if (!known) eventLog.emit('webhook.tested', { id });
      eventLog.flush();
      const [delivery] = webhooks.deliveriesOf(id, { after: 0, limit: 1 });
      ids = { ...ids, webhook: id, delivery: delivery ? deliveryId(delivery.id) : 'none' };
      samples['POST /api/webhooks/{webhook}/replay'] = { after: `EV_000000000001_${eventLog.epoch}`, limit: 3 };
    };

    const someBridge = async () => {
      const [known] = bridges.of((await rooms.get('demo')).record.id);
      if (!(await rooms.find('annex'))) await rooms.create({ name: 'annex' });
      // To be bridged with, once more.
      await rooms.delete('wing').catch(() => undefined);
      await rooms.create({ name: 'wing' });
      return (
        known ??
        bridges.create('demo', 'annex', {
          hears: true,
          isHeard: true,
          sees: false,
          isSeen: false,
          reads: true,
          isRead: true,
        })
      );
    };

    const refillIngest = async () => {
      const room = (await rooms.find('demo'))?.record;
      if (!room) return;
      if (room.views?.every(({ name }) => name !== 'common')) await rooms.update('demo', { views: [commonView] });
      const [key] = await ingest.streamKeys.of(room.id);
      const streamKey =
        key ??
        (await ingest.streamKeys.create({ room: 'demo', protocol: 'rtmp', name: 'OBS', onConflict: 'reject' })).record;
      const [one] = ingest.streamingIns.of(room.id);
      const camera =
        one ?? (await ingest.streamingIns.create(room.id, { ...someCamera, url: 'rtsp://u:p@camera.example/x' }));
      const [look] = analyses.of(room.id);
      const wish = { name: 'Look', source: { kind: 'mix' }, detectors: { loudness: {} }, framerateHz: 5 } as const;
      const analysis = (look ?? (await analyses.start(room.id, wish))).record.id;
      const [out] = streamingOuts.of(room.id);
      const push = out ?? (await streamingOuts.create(room.id, somePush, ['rtmp://live.example/app/key']));
      const recorded = recordings.of(room.id).find(({ record }) => /^(starting|recording|paused)$/.test(record.state));
      const recording = (recorded ?? (await recordings.start('demo', someRecording))).record.id;
      const [job] = ingest.media.jobs.keys();
      const live = calls.callsOf(room.id).find(({ info }) => !info.end);
      const sipCall = (live ?? (await calls.dial({ room: 'demo', to: 'sip:a@phone.example' }))).info.id;
      const [known] = sip.rules.all;
      const { id: rule } = known ?? (await sip.rules.create({ number: '+49', room: 'demo' }));
      const [trunk] = sip.trunks.all;
      const carrier = { name: 'pbx', inbound: { addresses: ['192.0.2.1'] } };
      const [account] = sip.accounts.all;
      const [ban] = sip.bans.all;
      ids = {
        ...ids,
        ban: (ban ?? (await sip.bans.create({ address: '198.51.100.1' }))).id,
        account: (account ?? (await sip.accounts.create({ username: 'bob', password: 'p' }))).id,
        trunk: (trunk ?? (await sip.trunks.create(carrier))).id,
        bridge: (await someBridge()).id,
        view: 'common',
        node: 'self',
        ...{ recording, analysis, part: '1' },
        sipCall,
        rule,
        streamKey: streamKey.id,
        streamingIn: camera.record.id,
        streamingOut: push.record.id,
        job: job ?? 'none',
      };
    };

    /** Somebody whom a moderator has to let in, and a PIN for guests. */
    const refillWaiting = async () => {
      const room = (await rooms.find('demo'))?.record;
      if (!room) return;
      if (!room.meeting?.hasWaitingRoom || !room.meeting.hasGuests) {
        const meeting = { hasWaitingRoom: true, hasGuests: true };
        await rooms.update('demo', { meeting, sip: { ...room.sip, sealedPin: sip.pins.seal('2468') } });
      }
      if (meetings.waitingIn(room.id).length === 0) {
        const party = { kind: 'webrtc', user: 'w', displayName: 'Waiting', role: 'presenter' } as const;
        const wait = { signal: new AbortController().signal, tell: () => undefined };
        // Whatever becomes of it: it is let in, sent away, or the room goes.
        void meetings.enter({ room: 'demo', party, hasConsented: true, wait }).catch(() => undefined);
        await new Promise((resolve) => setImmediate(resolve));
      }
      ids = { ...ids, waiting: meetings.waitingIn(room.id)[0]?.id ?? 'none' };
    };

    /** Much of what is asked deletes: the room, the participant and the stream are there again for the next request. */
    const refill = async () => {
      await nodes.undrain('self');
      await refillIngest();
      await refillWebhook();
      await refillKey();
      await refillWaiting();
      const isThere = (await rooms.find('demo')) && (await rooms.find('demo'))?.record.roles.length === 6;
      const meeting = isThere ? await rooms.open('demo') : undefined;
      if (meeting?.participants.size && [...meeting.publications()].length === 2) return;
      await rooms.delete('demo').catch(() => undefined);
      await rooms.create({ name: 'demo' });
      const room = await rooms.open('demo');
      const { participant, transport, video } = await joinAndPublish(room, 'alice');
      avatarOwner = participant;
      const subscription = await participant.subscribe(transport, video, room.media);
      subscription.formats = { source: video, format: undefined, set: async () => undefined };
      ids = { ...ids, participant: participant.id, stream: video.id, subscription: subscription.id };
      await refillIngest();
      const [moderator, reader] = [await tokenFor('demo', 'moderator'), await keyWith('rooms:read')];
      credentials = { admin, moderator, reader, wrong: 'sk_x_y', none: '' };
    };

    const hostile = fc.record({
      pattern: fc.constantFrom(...patterns),
      method: rarely(8, fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'BREW')),
      room: rarely(5, word),
      id: rarely(3, word),
      query: rarely(2, fc.dictionary(fc.constantFrom('limit', 'after', 'x', '__proto__'), word, { maxKeys: 3 })),
      credential: fc.constantFrom('admin', 'admin', 'admin', 'moderator', 'reader', 'wrong', 'none'),
      replaced: replacement,
      body: rarely(
        1,
        fc.oneof(
          value.map((json) => JSON.stringify(json)),
          rawBody,
        ),
      ),
      type: rarely(5, contentType),
      ifMatch: rarely(
        4,
        fc.oneof(
          word.filter((text) => /^[ -~]*$/.test(text)),
          header,
        ),
      ),
      forwarded: rarely(8, header),
    });
    const nearlyRight = { method: null, room: null, id: null, query: null, credential: 'admin', body: null };
    /** Half of them are wrong in one field of the body at the most: every handler is reached, not by luck. */
    const request = fc
      .tuple(hostile, fc.boolean())
      .map(([all, isNear]) => (isNear ? { ...all, ...nearlyRight, type: null, ifMatch: null, forwarded: null } : all));

    await fc.assert(
      fc.asyncProperty(request, async ({ pattern, method, room, id, query, credential, replaced, body, ...rest }) => {
        await refill();
        const verb = method ?? pattern.method;
        const path = pattern.path
          .replace('{room}', encode(room ?? 'demo'))
          .replaceAll(/\{(\w+)\}/g, (_, kind: string) => encode(id ?? ids[kind] ?? 'none'));
        const search = query
          ? `?${Object.entries(query)
              .map(([k, v]) => `${k}=${encode(v)}`)
              .join('&')}`
          : '';
        const sample = { ...samples[`${verb} ${pattern.path}`], ...(replaced ? { [replaced[0]]: replaced[1] } : {}) };
        const hasBody = !['GET', 'HEAD'].includes(verb);
        const { status } = await call(verb, path + search, {
          as: credentials[credential],
          headers: {
            ...(hasBody ? { 'content-type': rest.type ?? 'application/json' } : {}),
            ...(rest.ifMatch === null ? {} : { 'if-match': rest.ifMatch, 'if-none-match': rest.ifMatch }),
            ...(rest.forwarded === null ? {} : { 'x-forwarded-for': rest.forwarded, 'x-request-id': rest.forwarded }),
          },
          ...(hasBody ? { body: body ?? JSON.stringify(sample) } : {}),
        });
        assert.ok(status < 500, `${verb} ${path}${search} → ${status}`);
      }),
      { numRuns: runs, seed },
    );
    // What was thrown at it reached every handler, not only the door. (Codes to sign in with are not to be guessed.)
    const unreached = () => {
      const seen = new Set([...contract.seen].filter((one) => / 2\d\d$/.test(one)).map((one) => one.slice(0, -4)));
      return patterns.filter(({ method, path }) => !seen.has(`${method} ${path}`));
    };
    // Each once as it should be: with so many routes, chance alone would leave one out now and then. What fails in the room
    // as chance has left it is tried in a new one.
    for (const isAgain of [false, true]) {
      if (isAgain) await rooms.delete('demo').catch(() => undefined);
      for (const { method, path } of isAgain ? unreached() : patterns) {
        await refill();
        // Whichever of the two comes first.
        if (path.endsWith('/avatar')) avatarOwner?.setAvatar(Buffer.from(avatarImage, 'base64'));
        const target = path
          .replace('{room}', 'demo')
          .replaceAll(/\{(\w+)\}/g, (_, kind: string) => ids[kind] ?? 'none');
        const body = ['GET', 'HEAD'].includes(method) ? {} : { json: samples[`${method} ${path}`] ?? {} };
        const { status } = await call(method, target, { as: admin, ...body });
        assert.ok(status < 500, `${method} ${target} → ${status}`);
      }
    }
    await webhooks.close();
    assert.deepEqual(
      log.lines.filter(({ level }) => level === 'error'),
      [],
    );
    // Nor has anything been recorded that could be downloaded: file-response.test.ts and test/integration do that.
    const files = ['download', 'parts/{part}/download', 'parts/{part}/thumbnail'];
    const ofFiles = files.map((name) => `GET /api/rooms/{room}/recordings/{recording}/${name}`);
    const left = unreached().map(({ method, path }) => `${method} ${path}`);
    assert.deepEqual(left.sort(), [...ofFiles, 'POST /api/login', 'POST /api/logout']);
  },
  60_000 + runs * 40,
);

function encode(text: string): string {
  try {
    return /%/.test(text) ? text : encodeURIComponent(text);
  } catch {
    return 'lone-surrogate';
  }
}
