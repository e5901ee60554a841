import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { describe, test, vi } from 'vitest';
import { someApi } from '#test/support/some-api.ts';
import { joinAndPublish } from '#test/support/some-room.ts';

const path = '/api/rooms/demo/streaming-outs';
const secret = 'rtmp://user:hunter2@live.example/app/not-for-lists?token=nor-this';

async function apiWithRoom() {
  const api = await someApi();
  await api.rooms.create({ name: 'demo' });
  const ask = (method: string, at: string, json?: unknown) =>
    api.call(method, at, { as: api.admin, ...(json === undefined ? {} : { json }) });
  return { ...api, ask };
}

describe('streaming-outs', () => {
  test('one is made with several targets, shown without their keys, and says how far it is', async () => {
    const { ask, log, rooms, media } = await apiWithRoom();
    const urls = [secret, 'rtmp://other.example/live/second-key'];
    const { status, json, text, headers } = await ask('POST', path, { urls, video: { width: 640, height: 360 } });
    assert.equal(status, 202);
    assert.deepEqual(
      json.targets.map(({ url }: { url: string }) => url),
      ['rtmp://***:***@live.example/app/***?token=***', 'rtmp://other.example/live/***'],
    );
    assert.deepEqual(
      [json.name, json.source, json.media],
      ['live.example', { view: 'common' }, { audio: true, video: true }],
    );
    const list = await ask('GET', path);
    const read = await ask('GET', headers.get('location') ?? '');
    for (const one of [text, list.text, read.text, JSON.stringify(log.lines)]) {
      for (const word of ['hunter2', 'not-for-lists', 'nor-this', 'second-key']) assert.ok(!one.includes(word), word);
    }
    await vi.waitUntil(() => media.started.some(({ spec }) => spec.kind === 'egress'));
    const [self] = [...(rooms.live(json.roomId)?.participants.values() ?? [])].filter(
      ({ user }) => user === 'streaming-out',
    );
    assert.equal(self?.isHidden, true);
    assert.equal((await ask('DELETE', headers.get('location') ?? '')).status, 204);
    assert.deepEqual((await ask('GET', path)).json.items, []);
  });

  test('targets are added, removed and paused by id, and the source is another', async () => {
    const { ask } = await apiWithRoom();
    const { json } = await ask('POST', path, { url: 'rtmp://a.example/live/1', source: { mix: true } });
    const at = `${path}/${json.id}`;
    const [first] = json.targets;
    const more = await ask('PATCH', at, { addUrls: ['rtmp://b.example/live/2'], pauseTargets: [first.id] });
    assert.deepEqual(
      more.json.targets.map(({ isPaused }: { isPaused: boolean }) => isPaused),
      [true, false],
    );
    const other = await ask('PATCH', at, {
      removeTargets: [first.id],
      source: { participant: 'alice' },
      isPaused: true,
    });
    assert.deepEqual([other.json.targets.length, other.json.targets[0].isPaused], [1, true]);
    assert.deepEqual(other.json.source, { participant: 'alice' });
    assert.equal((await ask('PATCH', at, { resumeTargets: [first.id] })).status, 404);
    const off = await ask('PATCH', at, { isEnabled: false });
    assert.deepEqual([off.json.state, off.json.reason, off.json.jobId], ['stopped', 'disabled', null]);
  });

  test('what was said of its picture is taken back by null, as it is read', async () => {
    const { ask } = await apiWithRoom();
    const video = { width: 640, height: 360, framerateHz: 25, bitrateBps: 1e6, profile: 'main' };
    const { json } = await ask('POST', path, { url: 'rtmp://a.example/live/1', video });
    const nothing = Object.fromEntries(Object.keys(video).map((key) => [key, null]));
    const { status, json: off } = await ask('PATCH', `${path}/${json.id}`, { video: { ...nothing, width: 320 } });
    assert.equal(status, 200);
    assert.deepEqual(off.video, { ...nothing, width: 320, codec: 'h264', keyFrameIntervalS: 2 });
  });

  test('a pause is waited for, and going on too', async () => {
    const { ask, media } = await apiWithRoom();
    const { json } = await ask('POST', path, { urls: ['rtmp://a.example/live/1', 'rtmp://b.example/live/2'] });
    await vi.waitUntil(() => media.started.some(({ spec }) => spec.kind === 'egress'));
    const host = media.started.find(({ spec }) => spec.kind === 'egress')?.host;
    const says = (sinkId: number, state: 'live' | 'paused') =>
      host?.received?.({ type: 'egressSinkChanged', sinkId, state, reason: 'media_flowing', message: 'So.' } as never);
    says(1, 'live');
    says(2, 'live');
    const [first] = json.targets;
    const at = `${path}/${json.id}?wait=10`;
    const paused = ask('PATCH', at, { pauseTargets: [first.id] });
    // Only then is it asked to.
    await vi.waitUntil(async () => (await ask('GET', `${path}/${json.id}`)).json.targets[0].isPaused);
    says(1, 'paused');
    assert.deepEqual(statesIn((await paused).json), ['paused', 'live']);
    const resumed = ask('PATCH', at, { isPaused: false });
    await vi.waitUntil(async () => !(await ask('GET', `${path}/${json.id}`)).json.targets[0].isPaused);
    says(1, 'live');
    assert.deepEqual(statesIn((await resumed).json), ['live', 'live']);
  });

  test('a stream that nobody sends is refused, and one that has ended keeps nothing else from being changed', async () => {
    const { ask, rooms } = await apiWithRoom();
    const room = await rooms.open('demo');
    const { participant, video } = await joinAndPublish(room, 'alice');
    const source = { stream: video.id };
    const made = await ask('POST', path, { url: 'rtmp://a.example/live/1', isEnabled: false, source });
    assert.equal(made.status, 201);
    const at = `${path}/${made.json.id}`;
    const wrong = await ask('PATCH', at, { source: { stream: 'TR_nobody' } });
    assert.deepEqual([wrong.status, wrong.json.detail], [422, 'Nobody sends a stream "TR_nobody".']);
    await participant.close();
    assert.equal((await ask('PATCH', at, { name: 'Later' })).status, 200);
    assert.equal((await ask('PATCH', at, { source })).status, 422);
  });

  test.each([
    [{}, 400],
    [{ url: 'rtmp://a.example/live/1', urls: ['rtmp://b.example/live/1'] }, 400],
    [{ url: 'http://a.example/live/1' }, 422],
    [{ url: 'rtmp://127.0.0.1/live/1' }, 403],
    [{ url: 'rtmp://169.254.169.254/live/1' }, 403],
    [{ url: 'rtmp://a.example/live/1', source: { view: 'nothing' } }, 422],
    [{ url: 'rtmp://a.example/live/1', source: { stream: 'TR_nobody' } }, 422],
    [{ url: 'rtmp://a.example/live/1', media: { audio: false, video: false } }, 422],
    [{ url: 'rtmp://a.example/live/1', source: { mix: true }, media: { audio: false } }, 422],
    [{ url: 'rtmp://a.example/live/1', video: { width: 641 } }, 400],
    [{ url: 'rtmp://a.example/live/1', souce: { mix: true } }, 400],
  ])('%j is answered with %i', async (input, status) => {
    const { ask } = await apiWithRoom();
    assert.equal((await ask('POST', path, input)).status, status);
  });

  test('the next start of the gateway knows them, and they go with their room', async () => {
    const { ask, store, rooms, streamingOuts } = await apiWithRoom();
    const { json } = await ask('POST', path, { url: secret, source: { mix: true } });
    const [kept] = await store.list<{ targets: { url: string }[] }>('streaming-outs');
    assert.deepEqual([kept?.id, kept?.value.targets[0]?.url], [json.id, secret]);
    const gone = once(streamingOuts.events, 'deleted');
    await rooms.delete('demo');
    await gone;
    assert.deepEqual(await store.list('streaming-outs'), []);
  });

  test('at most so many leave one room', async () => {
    const { ask } = await apiWithRoom();
    const make = () => ask('POST', path, { url: 'rtmp://a.example/live/1', source: { mix: true }, isEnabled: false });
    for (let n = 0; n < 3; n++) assert.equal((await make()).status, 201);
    assert.equal((await make()).json.code, 'limit_reached');
  });
});

const statesIn = ({ targets }: { targets: { state: string }[] }): string[] => targets.map(({ state }) => state);
