// A data folder of the version before, as it is on people's disks, under the program of today.
import { strict as assert } from 'node:assert';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { StreamKeys } from '#core/stream-keys.ts';
import { migrations } from '#store/migrations.ts';
import { openSqliteStore } from '#store/sqlite.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { someRooms } from '#test/support/some-room.ts';

// What that version showed once, when these were made.
const dashboardKey = 'sk_xbWhR1MJTJ05_cLNozgDv4LsGzZeFAwfd0kwK5cqq7CxMQCUbHD8A';
const obsKey = 'xT4sJ5J6fex7iYxmcuHfKYxfinPK';
const cameraKey = 'tzVWzy6WcpRjhoEJ7nFvAVsBqdPY';

let data: string;
let gateway: TestGateway;

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'switchyard-upgrade-'));
  const raw = new DatabaseSync(join(data, 'switchyard.db'));
  raw.exec(readFileSync(new URL('../fixtures/store/version-1.sql', import.meta.url), 'utf8'));
  raw.close();
  gateway = await startGateway({ data });
});
afterAll(async () => {
  await gateway?.close();
  rmSync(data, { recursive: true, force: true });
});

const withKey = (path: string) =>
  fetch(`${gateway.url}${path}`, { headers: { authorization: `Bearer ${dashboardKey}` } });

test('the store is brought from version 1 to the newest, once, and says so', () => {
  const told = gateway.log.lines.filter(({ message }) => message === 'store migrated');
  assert.deepEqual(
    told.map(({ fields }) => [fields.from, fields.to]),
    [[1, migrations.length]],
  );
});

test('rooms keep their id, settings and revision, and can be changed', async () => {
  const { items } = await gateway.api<{ items: { name: string }[] }>('GET', '/api/rooms');
  assert.deepEqual(items.map(({ name }) => name).sort(), ['demo', 'lab', 'standup']);
  const room = await gateway.api<Record<string, unknown>>('GET', '/api/rooms/standup');
  assert.deepEqual(
    [room.id, room.displayName, room.maxParticipants, room.metadata, room.createdAt],
    ['RM_SkDXgCY8QTju', 'Stand-up', 12, { team: 'red' }, '2026-11-28T20:28:43.271Z'],
  );
  const changed = await gateway.api<Record<string, unknown>>('PATCH', '/api/rooms/lab', { displayName: 'Lab' });
  assert.deepEqual([changed.id, changed.displayName], ['RM_7t70NK4v63kw', 'Lab']);
});

test('an API key lets in with its scopes and no more, and can be rotated', async () => {
  assert.equal((await withKey('/api/rooms/standup')).status, 200);
  assert.equal((await withKey('/api/keys')).status, 403);
  const { items } = await gateway.api<{ items: { id: string; name: string; scopes: string[] }[] }>('GET', '/api/keys');
  assert.deepEqual(
    items.map(({ id, name, scopes }) => [id, name, scopes]),
    [['xbWhR1MJTJ05', 'Dashboard', ['rooms:read']]],
  );
  const rotated = await gateway.api<{ key: string }>('POST', '/api/keys/xbWhR1MJTJ05/rotate', { keepOldMs: 60_000 });
  assert.notEqual(rotated.key, dashboardKey);
  assert.equal((await withKey('/api/rooms/standup')).status, 200);
});

test('stream keys are listed with their rooms, and streaming-ins are as they were left', async () => {
  const keys = await gateway.api<{ items: Record<string, unknown>[] }>('GET', '/api/stream-keys');
  assert.deepEqual(keys.items.map(({ id, room, protocol, onConflict }) => [id, room, protocol, onConflict]).sort(), [
    ['SK_rqikW3RTKKiF', 'lab', 'rtsp', 'take_over'],
    ['SK_zHy34GnQwFva', 'standup', 'rtmp', 'reject'],
  ]);
  const ins = await gateway.api<{ items: Record<string, unknown>[] }>('GET', '/api/rooms/lab/streaming-ins');
  assert.deepEqual(
    ins.items.map(({ id, name, url, state, onDemand }) => [id, name, url, state, onDemand]),
    [['IN_USaKpDGKCiGX', 'Gate', 'rtsp://***:***@camera.example/live', 'stopped', true]],
  );
});

test('encoders get in with the stream keys that they were given', async () => {
  const store = openSqliteStore(join(data, 'switchyard.db'), new KeepingLog());
  try {
    const keys = new StreamKeys({ store, rooms: someRooms().rooms, log: new KeepingLog() });
    assert.equal((await keys.verify('rtmp', obsKey)).id, 'SK_zHy34GnQwFva');
    assert.equal((await keys.verify('rtsp', cameraKey)).name, 'Camera');
    await assert.rejects(keys.verify('rtmp', cameraKey), (thrown) => thrown instanceof GatewayError);
  } finally {
    await store.close();
  }
});

test('what was secret in it, and what is made now, is nowhere in the clear on the disk', async () => {
  const { api } = gateway;
  const url = 'rtsp://admin:gate-password@192.0.2.7/live';
  await api('POST', '/api/rooms/lab/streaming-ins', { url, name: 'New gate', isEnabled: false });
  await api('PATCH', '/api/rooms/lab', { sip: { pin: '9182736450' } });
  const hook = await api<{ secret: string }>('POST', '/api/webhooks', { url: 'https://app.example/hook/path-secret' });
  const { key } = await api<{ key: string }>('POST', '/api/keys', { name: 'New key', scopes: ['rooms:read'] });
  const srt = { room: 'lab', protocol: 'srt', name: 'New SRT', isEncrypted: true };
  const push = await api<{ key: string; passphrase: string }>('POST', '/api/stream-keys', srt);
  const secrets = [
    ...['viewer:secret@', 'QhT5Oh//2UX5N3uTpzKegwAPhUk7cvhwAn', 'gate-password', '9182736450', 'path-secret'],
    ...[hook.secret, key, push.key, push.passphrase],
  ];
  // Of an open database: its write-ahead log and index are files of the folder, too.
  const files = readdirSync(data, { withFileTypes: true }).filter((entry) => entry.isFile());
  assert.ok(files.some(({ name }) => name.endsWith('-wal')));
  const filesWith = (text: string) => files.filter(({ name }) => readFileSync(join(data, name)).includes(text));
  assert.notDeepEqual(filesWith('New gate'), []);
  for (const secret of secrets) {
    assert.ok(secret.length > 8, 'a secret to look for');
    assert.deepEqual(filesWith(secret), [], secret);
  }
});
