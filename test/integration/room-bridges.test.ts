// Two and three rooms that hear and see each other, by real phones, cameras and the API.
import assert from 'node:assert/strict';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { BridgeResource, EventResource, ParticipantResource } from '#api/contract.ts';
import type { Room } from '#core/room.ts';
import { CameraPeer } from '#test/support/camera-peer.ts';
import { startGateway, type TestGateway } from '#test/support/gateway.ts';
import type { PhonePeer } from '#test/support/phone-peer.ts';
import { RoomViewer } from '#test/support/room-viewer.ts';
import { SipCaller } from '#test/support/sip-caller.ts';
import { usualLevel } from '#test/support/tone.ts';

let gateway: TestGateway;
const opened: { close(): unknown }[] = [];
const names = ['east', 'west', 'north'] as const;

beforeAll(async () => {
  gateway = await startGateway({
    sip: { isEnabled: true, access: 'open' },
    rtp: { listenAddress: '127.0.0.1', firstPort: 43_200, lastPort: 43_399 },
    media: { workers: 2 },
  });
  for (const name of names) await gateway.app.rooms.create({ name });
}, 60_000);

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  for (const name of names) {
    const { items } = await gateway.api<{ items: BridgeResource[] }>('GET', `/api/rooms/${name}/bridges`);
    for (const { id } of items) await gateway.api('DELETE', `/api/rooms/${name}/bridges/${id}`);
  }
});

afterAll(() => gateway?.close());

async function call(room: string, toneHz: number): Promise<PhonePeer> {
  const point = gateway.app.sip.listenPoints.find(({ protocol }) => protocol === 'udp');
  const server = { address: '127.0.0.1', port: point?.port ?? 0 };
  const caller = await SipCaller.call({ server, room, codec: 'opus', toneHz });
  opened.push(caller);
  return caller.phone;
}

const bridge = (room: string, body: object) => gateway.api<BridgeResource>('POST', `/api/rooms/${room}/bridges`, body);

/** Listens until it is heard at -20 dBov, give or take 2; or, where it is not to be, until it is no longer. */
async function hears(phone: PhonePeer, toneHz: number, isHeard = true): Promise<void> {
  let dbov = 0;
  for (let attempt = 0; attempt < 40; attempt++) {
    dbov = usualLevel(await phone.hear(300), toneHz, phone.sampleRateHz);
    if (isHeard ? Math.abs(dbov + 20) < 2 : dbov < -45) return;
  }
  assert.fail(`${toneHz} Hz is heard at ${dbov.toFixed(1)} dBov`);
}

async function open(name: string): Promise<Room> {
  return gateway.app.rooms.open(name);
}

test('phones of two rooms hear each other at their level and never themselves, also after the death of a media worker', async () => {
  const [anna, bert] = [await call('east', 500), await call('east', 700)];
  const carl = await call('west', 1_000);
  await hears(anna, 700);
  const made = await bridge('east', { to: 'west' });
  expect(made).toMatchObject({ room: { name: 'east' }, to: { name: 'west' }, hears: true, isHeard: true, sees: false });
  await hears(carl, 500);
  await hears(carl, 700);
  await hears(carl, 1_000, false);
  await hears(anna, 1_000);
  await hears(anna, 700);
  await hears(anna, 500, false);
  await hears(bert, 1_000);
  await hears(bert, 700, false);
  const { items } = await gateway.api<{ items: ParticipantResource[] }>('GET', '/api/rooms/west/participants');
  expect(items.filter(({ kind }) => kind === 'bridge').map(({ user }) => user)).toEqual(['east']);

  // Read by the other room, its ways are turned round: west does not hear east any more.
  const turned = await gateway.api<BridgeResource>('PATCH', `/api/rooms/west/bridges/${made.id}`, { hears: false });
  expect(turned).toMatchObject({ room: { name: 'west' }, hears: false, isHeard: true });
  await hears(carl, 500, false);
  await hears(anna, 1_000);
  await gateway.api('PATCH', `/api/rooms/east/bridges/${made.id}`, { audio: true });
  await hears(carl, 500);

  for (const { pid } of gateway.app.media.describeWorkers()) process.kill(pid, 'SIGKILL');
  await hears(carl, 500);
  await hears(anna, 1_000);
  await hears(anna, 500, false);

  await gateway.api('DELETE', `/api/rooms/west/bridges/${made.id}`);
  await hears(carl, 500, false);
  await hears(anna, 700);
}, 90_000);

test('three rooms in a row hear each other through the one between, and may not be closed to a ring', async () => {
  const [anna, carl, dora] = [await call('east', 500), await call('west', 1_000), await call('north', 1_500)];
  await bridge('east', { to: 'west' });
  await bridge('west', { to: 'north' });
  await hears(dora, 500);
  await hears(anna, 1_500);
  await hears(carl, 1_500);
  await hears(anna, 500, false);
  await hears(dora, 1_500, false);
  await expect(bridge('north', { to: 'east' })).rejects.toThrow(/409 .*north.*west.*east.*are bridged already/);
  await expect(bridge('west', { to: 'east' })).rejects.toThrow(/409 .*would be an echo/);
  await expect(bridge('east', { to: 'EAST' })).rejects.toThrow(/400 .*its own echo/);
  await expect(bridge('east', { to: 'nowhere' })).rejects.toThrow(/400 .*no room/);
}, 60_000);

test('each room is shown the other’s view without its own picture in it, and both are told how it ended', async () => {
  const [east, west] = [await open('east'), await open('west')];
  for (const name of ['east', 'west']) {
    await gateway.api('PATCH', `/api/rooms/${name}/views/common`, { hasLabels: false, hasSpeakerBorder: false });
  }
  opened.push(await CameraPeer.join(east, { name: 'anna', color: '#c02020' }));
  opened.push(await CameraPeer.join(west, { name: 'carl', color: '#2020c0' }));
  const made = await bridge('east', { to: 'west', audio: false, video: true });
  expect(made).toMatchObject({ hears: false, isHeard: false, sees: true, isSeen: true });
  for (const [room, isOther] of [
    [east, (u: number, v: number) => u > 160 && v < 140],
    [west, (u: number, v: number) => v > 160 && u < 140],
  ] as const) {
    const viewer = await RoomViewer.join(room.media);
    opened.push(viewer);
    const seen = new Promise<void>((resolve) => {
      viewer.onPicture = ({ width, height, planes, strides }) => {
        // Alone in the view, the other camera fills it but for its edges; with this room's own beside it there were two.
        const at = (x: number) => {
          const index = (plane: 1 | 2) => (height >> 2) * (strides[plane] ?? 0) + Math.floor((x * width) / 2);
          return [planes[1]?.[index(1)] ?? 0, planes[2]?.[index(2)] ?? 0] as const;
        };
        if ([0.3, 0.5, 0.7].every((x) => isOther(...at(x)))) resolve();
      };
    });
    await viewer.watch(await pictureOf(room));
    await seen;
  }
  await west.close();
  const isEnd = ({ type }: EventResource) => type === 'bridge.ended';
  await expect
    .poll(async () => {
      const { items } = await gateway.api<{ items: EventResource[] }>('GET', '/api/events?type=bridge.*&limit=500');
      return items
        .filter((event) => isEnd(event) && event.data.id === made.id)
        .map(({ room, data }) => [room?.name, data.reason]);
    })
    .toEqual([
      ['east', 'room_closed'],
      ['west', 'room_closed'],
    ]);
}, 60_000);

/** Of the bridge in this room, as soon as it is published. */
async function pictureOf(room: Room) {
  const find = () =>
    [...room.publications()].find(({ kind, participant }) => kind === 'video' && participant.kind === 'bridge');
  while (!find()) await new Promise((resolve) => room.events.once('publicationAdded', resolve));
  const found = find();
  assert.ok(found);
  return found.producer;
}
