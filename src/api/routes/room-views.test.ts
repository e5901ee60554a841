import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { joinHidden } from '#core/hidden-participant.ts';
import { viewsOf } from '#core/room-views.ts';
import { Rooms } from '#core/rooms.ts';
import { someRtpParameters } from '#test/support/fake-sfu.ts';
import { plainPng } from '#test/support/png.ts';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

const path = '/api/rooms/demo/views/common';

async function someViews() {
  const api = await someApi();
  await api.rooms.create({ name: 'demo' });
  return api;
}

test('a room has a view named common, which does not run while nobody watches', async () => {
  const { call, admin } = await someViews();
  const { json } = await call('GET', '/api/rooms/demo/views', { as: admin });
  assert.deepEqual(
    json.items.map(({ name, isRunning, inputs }: { name: string; isRunning: boolean; inputs: unknown[] }) => [
      name,
      isRunning,
      inputs,
    ]),
    [['common', false, []]],
  );
  assert.equal((await call('GET', path, { as: admin })).json.layout.base, 'fluid');
  assert.equal((await call('GET', '/api/rooms/demo/views/none', { as: admin })).status, 404);
});

test('looks change and stay; what is not named stays what it was', async () => {
  const { call, admin } = await someViews();
  const region = [{ id: '1', area: { left: '0', top: '0', width: '2/3', height: '1' } }];
  const json = { layout: { custom: [{ region }] }, backgroundColor: '#203040', hasLabels: false };
  const changed = await call('PATCH', path, { as: admin, json });
  assert.equal(changed.status, 200);
  const { layout, backgroundColor, hasLabels, maxInputs } = (await call('GET', path, { as: admin })).json;
  assert.deepEqual(
    [layout.base, layout.custom[0].region[0].shape, backgroundColor, hasLabels, maxInputs],
    ['fluid', 'rectangle', '#203040', false, 16],
  );
});

test('null takes anything of a look back to what a view has by itself', async () => {
  const { call, admin } = await someViews();
  const patch = async (json: object) => {
    const { status, json: view } = await call('PATCH', path, { as: admin, json });
    assert.equal(status, 200, JSON.stringify(view));
    return view;
  };
  const usual = await patch({});
  const look = { transitionMs: 300, maxInputs: 2, backgroundColor: '#102030', autoMix: 'none', hasLabels: false };
  const layout = { base: 'grid', gridSize: 9, fitPolicy: 'crop' };
  await patch({
    ...look,
    hasAudio: false,
    layout,
    video: { width: 640, height: 360, framerateHz: 25, bitrateBps: 500_000 },
  });
  const some = await patch({ layout: { gridSize: null }, video: { framerateHz: null }, transitionMs: null });
  assert.deepEqual(
    [some.layout, some.video.framerateHz, some.video.width, some.transitionMs, some.maxInputs],
    [{ ...usual.layout, ...layout, gridSize: 4 }, 30, 640, 0, 2],
  );
  const none = Object.fromEntries(Object.keys({ ...look, hasAudio: 0, layout, video: 0 }).map((key) => [key, null]));
  assert.deepEqual(await patch(none), usual);
});

test.each<[string, object, number]>([
  [
    'no rational number',
    { layout: { custom: [{ region: [{ id: '1', area: { left: 'x', top: '0', width: '1', height: '1' } }] }] } },
    400,
  ],
  [
    'a region beyond the canvas',
    { layout: { custom: [{ region: [{ id: '1', area: { left: '1/2', top: '0', width: '2/3', height: '1' } }] }] } },
    400,
  ],
  ['an unknown key', { colour: '#000000' }, 400],
  ['an unknown layout', { layout: { base: 'heap' } }, 400],
  ['an image that is none', { backgroundImage: 'aGVsbG8=' }, 400],
  ['a primary while nobody watches', { primary: 'TR_1', backgroundColor: '#ffffff' }, 409],
])('%s is refused and changes nothing', async (_title, json, status) => {
  const { call, admin } = await someViews();
  assert.equal((await call('PATCH', path, { as: admin, json })).status, status);
  assert.equal((await call('GET', path, { as: admin })).json.backgroundColor, '#000000');
});

test('views are made, listed, changed and taken away, and another process finds them', async () => {
  const api = await someViews();
  const { call, admin, rooms, store, sfu, log } = api;
  const wide = { name: 'wide', video: { width: 640, height: 360, framerateHz: 25, codec: 'h264' }, hasAudio: false };
  const made = await call('POST', '/api/rooms/demo/views', { as: admin, json: wide });
  assert.equal(made.status, 201);
  assert.match(made.headers.get('location') ?? '', /\/views\/wide$/);
  const png = plainPng(16, [1, 2, 3]).toString('base64');
  const patch = { video: { bitrateBps: 300_000 }, layout: { base: 'lecture' }, backgroundImage: png };
  assert.equal((await call('PATCH', '/api/rooms/demo/views/wide', { as: admin, json: patch })).status, 200);
  // What a new process would have: the store and nothing else.
  const again = new Rooms({ store, sfu, log, defaults: (await rooms.get('demo')).record });
  const found = viewsOf((await again.get('demo')).record).find(({ name }) => name === 'wide');
  assert.equal(found?.look.layout.base, 'lecture');
  assert.deepEqual(
    [found?.video.width, found?.video.framerateHz, found?.video.codec, found?.video.bitrateBps, found?.hasAudio],
    [640, 25, 'h264', 300_000, false],
  );
  assert.equal((await call('GET', '/api/rooms/demo/views/wide', { as: admin })).json.hasBackgroundImage, true);
  assert.equal((await store.list('view-images')).length, 1);
  const same = await call('POST', '/api/rooms/demo/views', { as: admin, json: wide });
  assert.equal(same.status, 409);
  assert.equal((await call('DELETE', '/api/rooms/demo/views/wide', { as: admin })).status, 204);
  assert.equal((await call('DELETE', '/api/rooms/demo/views/wide', { as: admin })).status, 404);
  assert.deepEqual(
    (await call('GET', '/api/rooms/demo', { as: admin })).json.views.map(({ name }: { name: string }) => name),
    ['common'],
  );
  assert.equal((await store.list('view-images')).length, 0);
});

test('a room is made with its views and media rules, and told them anew', async () => {
  const { call, admin } = await someApi();
  const json = {
    name: 'studio',
    mediaOut: { video: { format: ['h264'], parameters: { resolution: ['x1/2'] } } },
    views: [
      { name: 'main', video: { codec: 'h264' } },
      { name: 'sound', hasVideo: false },
    ],
  };
  const { status, json: room } = await call('POST', '/api/rooms', { as: admin, json });
  assert.equal(status, 201);
  assert.deepEqual(
    room.views.map(({ name, hasVideo }: { name: string; hasVideo: boolean }) => [name, hasVideo]),
    [
      ['main', true],
      ['sound', false],
    ],
  );
  assert.deepEqual(room.mediaIn.video, ['vp8', 'vp9', 'h264', 'av1']);
  const patched = await call('PATCH', '/api/rooms/studio', { as: admin, json: { views: null, mediaOut: null } });
  assert.deepEqual(
    patched.json.views.map(({ name }: { name: string }) => name),
    ['common'],
  );
});

test.each<[string, object, string]>([
  ['a view with an odd width', { views: [{ name: 'a', video: { width: 333 } }] }, 'views.0.video.width'],
  ['two views of one name', { views: [{ name: 'a' }, { name: 'a' }] }, 'views.1.name'],
  [
    'a view with neither picture nor sound',
    { views: [{ name: 'a', hasVideo: false, hasAudio: false }] },
    'views.0.hasVideo',
  ],
  [
    'a view in a codec that the room does not give',
    { mediaOut: { video: { format: ['h264'] } }, views: [{ name: 'a', video: { codec: 'vp8' } }] },
    'views.0.video.codec',
  ],
  [
    'a part that is no part',
    { mediaOut: { video: { format: ['vp8'], parameters: { resolution: ['x3/0'] } } } },
    'mediaOut.video.parameters.resolution.0',
  ],
  ['an unknown codec', { mediaIn: { audio: ['opus'], video: ['h263'] } }, 'mediaIn.video.0'],
])('%s is refused with the name of the field', async (_title, json, path) => {
  const { call, admin } = await someApi();
  const { status, json: problem } = await call('POST', '/api/rooms', { as: admin, json: { name: 'x', ...json } });
  assert.equal(status, 400);
  assert.ok(
    problem.errors.some((error: { path: string }) => error.path.endsWith(path)),
    JSON.stringify(problem.errors),
  );
});

test('of what a room takes and gives a patch changes what it names, and null takes one back', async () => {
  const { call, admin } = await someViews();
  const usual = (await call('GET', '/api/rooms/demo', { as: admin })).json;
  const patch = async (json: object) => {
    const { status, json: room } = await call('PATCH', '/api/rooms/demo', { as: admin, json });
    assert.equal(status, 200, JSON.stringify(room));
    return room;
  };
  assert.deepEqual((await patch({ mediaIn: { video: ['h264'] } })).mediaIn, { ...usual.mediaIn, video: ['h264'] });
  assert.deepEqual((await patch({ mediaIn: { audio: ['opus'], video: null } })).mediaIn, {
    audio: ['opus'],
    video: usual.mediaIn.video,
  });
  await patch({ mediaOut: { audio: ['opus'], video: { parameters: { framerate: [10] } } } });
  await patch({ mediaOut: { video: { format: ['vp8'] } } });
  const { mediaOut } = await patch({ mediaOut: { video: { parameters: { resolution: ['x1/2'] } } } });
  const parameters = { framerate: [10], resolution: ['x1/2'] };
  assert.deepEqual(mediaOut, { audio: ['opus'], video: { format: ['vp8'], parameters } });
  const without = await patch({ mediaOut: { video: { parameters: { framerate: null } } } });
  assert.deepEqual(without.mediaOut.video.parameters, { resolution: ['x1/2'] });
  await patch({ transcoding: { video: { format: false } } });
  const { transcoding } = await patch({ transcoding: { video: { parameters: { bitrate: false } } } });
  assert.deepEqual(
    [transcoding.video.format, transcoding.video.parameters.bitrate, transcoding.audio],
    [false, false, true],
  );
  const { mediaIn, ...back } = await patch({ mediaIn: null, mediaOut: null, transcoding: { video: null } });
  assert.deepEqual([mediaIn, back.mediaOut, back.transcoding], [usual.mediaIn, usual.mediaOut, usual.transcoding]);
});

test('views of a room that gives no VP8 come in what it gives where nobody says otherwise', async () => {
  const { call, admin } = await someApi();
  const json = { name: 'studio', mediaOut: { video: { format: ['h264', 'vp9'] } } };
  assert.equal((await call('POST', '/api/rooms', { as: admin, json })).status, 201);
  const codecs = async () => {
    const { items } = (await call('GET', '/api/rooms/studio/views', { as: admin })).json;
    return items.map(({ name, video }: { name: string; video: { codec: string } }) => `${name} ${video.codec}`);
  };
  const patch = async (at: string, change: object) =>
    (await call('PATCH', `/api/rooms/studio${at}`, { as: admin, json: change })).status;
  assert.equal(await patch('', { displayName: 'The studio' }), 200);
  assert.equal((await call('POST', '/api/rooms/studio/views', { as: admin, json: { name: 'wide' } })).status, 201);
  assert.equal(await patch('/views/wide', { video: { codec: 'vp9' } }), 200);
  assert.deepEqual(await codecs(), ['common h264', 'wide vp9']);
  assert.equal(await patch('', { views: [{ name: 'a' }, { name: 'b', video: { codec: 'vp9' } }] }), 200);
  assert.deepEqual(await codecs(), ['a h264', 'b vp9']);
  const refused = await call('PATCH', '/api/rooms/studio', {
    as: admin,
    json: { mediaOut: { video: { format: ['h264'] } } },
  });
  assert.equal(refused.status, 400);
  assert.equal(refused.json.errors[0].path, 'views.1.video.codec');
});

test('a codec that mediaIn leaves out is published no more, and what is there stays', async () => {
  const { call, admin, rooms } = await someViews();
  const room = await rooms.open('demo');
  const { participant } = await joinAndPublish(room, 'early');
  const mediaIn = { audio: ['opus'], video: ['h264'] };
  assert.equal((await call('PATCH', '/api/rooms/demo', { as: admin, json: { mediaIn } })).status, 200);
  assert.equal(participant.publications.size, 2);
  await assert.rejects(joinAndPublish(room, 'late'), /takes no video\/VP8; its mediaIn\.video is h264/);
});

test('a viewer may read it and not change it', async () => {
  const { call, tokenFor } = await someViews();
  const viewer = await tokenFor('demo', 'viewer');
  assert.equal((await call('GET', path, { as: viewer })).status, 200);
  assert.equal((await call('PATCH', path, { as: viewer, json: { hasLabels: false } })).status, 403);
});

test('only pictures that somebody sends go into a view, whatever else is published', async () => {
  const { call, rooms, views, admin } = await someViews();
  const room = await rooms.open('demo');
  const { audio, video } = await joinAndPublish(room, 'ada');
  const maker = joinHidden(room, 'view', 'View');
  const made = await maker.publish(await maker.createTransport(), {
    ...{ kind: 'video', source: 'other', rtpParameters: someRtpParameters('video') },
  });
  await views.viewOf(room, 'common');
  const statuses = async (id: string) => {
    const answers = [{ add: [id] }, { remove: [id] }].map((json) => call('PATCH', path, { as: admin, json }));
    return (await Promise.all(answers)).map(({ status }) => status);
  };
  assert.deepEqual(await statuses(video.id), [200, 200]);
  assert.deepEqual(await statuses(audio.id), [422, 422]);
  assert.deepEqual(await statuses(made.id), [404, 404]);
});
