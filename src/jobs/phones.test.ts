import { afterEach, beforeEach, expect, test } from 'vitest';
import { configSchema, type RtpConfig } from '#config/schema.ts';
import { defaultRoles } from '#core/grants.ts';
import type { RoomId } from '#core/ids.ts';
import type { JobHost } from '#core/job.ts';
import type { MixCommand } from '#core/mix-messages.ts';
import { Room } from '#core/room.ts';
import { FakeMedia } from '#test/support/fake-media.ts';
import { FakeSfu } from '#test/support/fake-sfu.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { Phones } from './phones.ts';

const { rtp, mix } = configSchema.parse({});
const log = new KeepingLog();
const sfu = new FakeSfu();
let media: FakeMedia;
let phones: Phones;

beforeEach(() => {
  media = new FakeMedia();
  phones = new Phones({ media, rtp, mix, log });
});

afterEach(() => phones.close());

async function openRoom(name: string): Promise<Room> {
  const settings = { maxParticipants: -1, inputLimit: -1, lastN: -1, emptyTimeoutMs: 60_000 };
  const id = `RM_${name}` as RoomId;
  return Room.create(
    { id, name, displayName: name, createdAtMs: 0, ...settings, roles: defaultRoles, metadata: {} },
    sfu,
    log,
  );
}

/** The job of a room's mix: what it was told, and a worker that opens what it is asked to. */
async function workerOf(room: Room) {
  await phones.mixOf(room);
  const host = media.started.find((job) => job.host.media === room.media)?.host as JobHost;
  const told: MixCommand[] = [];
  const transport = await room.media.createPlainTransport();
  const send = (command: unknown) => {
    const known = command as MixCommand;
    told.push(known);
    if (known.type === 'openLeg') host.received?.({ type: 'legOpened', legId: known.legId });
  };
  const attach = () => host.attached?.({ transport, send }, true);
  attach();
  const of = (type: MixCommand['type']) => told.filter((command) => command.type === type);
  return { host, told, of, attach };
}

test('a call that ends while it goes to another room is opened nowhere, and its ports are free', async () => {
  const [here, there] = [await openRoom('here'), await openRoom('there')];
  const [from, to] = [await workerOf(here), await workerOf(there)];
  const leg = await phones.allocateLeg({ room: here, log });
  const moving = phones.moveLeg(leg, there);
  await expect.poll(() => from.of('closeLeg')).toHaveLength(1);
  await leg.close('peer_left');
  from.host.received?.({ type: 'legClosed', legId: leg.id });
  await expect(moving).rejects.toMatchObject({ code: 'closed' });
  expect(to.of('openLeg')).toEqual([]);
  expect(phones.legs.size).toBe(0);
});

test('a call that goes to a room whose mix ends meanwhile comes into the next one', async () => {
  const [here, there] = [await openRoom('here'), await openRoom('there')];
  const [from, to] = [await workerOf(here), await workerOf(there)];
  const leg = await phones.allocateLeg({ room: here, log });
  const moving = phones.moveLeg(leg, there);
  await expect.poll(() => from.of('closeLeg')).toHaveLength(1);
  await (await phones.mixOf(there)).close('idle');
  media.started.splice(0);
  from.host.received?.({ type: 'legClosed', legId: leg.id });
  const next = await workerOf(there);
  await moving;
  expect(to.of('openLeg')).toEqual([]);
  expect(next.of('openLeg').length).toBeGreaterThan(0);
  expect([...(await phones.mixOf(there)).legs.values()]).toEqual([leg]);
});

test('a call that can come into no other room is closed, and is nobody’s', async () => {
  const [here, there] = [await openRoom('here'), await openRoom('there')];
  const [from] = [await workerOf(here), await workerOf(there)];
  const leg = await phones.allocateLeg({ room: here, log });
  const moving = phones.moveLeg(leg, there);
  await expect.poll(() => from.of('closeLeg')).toHaveLength(1);
  await there.close('ended');
  from.host.received?.({ type: 'legClosed', legId: leg.id });
  await expect(moving).rejects.toMatchObject({ code: 'closed' });
  expect(leg.isClosed).toBe(true);
  expect(phones.legs.size).toBe(0);
});

test('a worker that dies while a call leaves has its ports free: the next one does not open it again', async () => {
  const [here, there] = [await openRoom('here'), await openRoom('there')];
  const [from, to] = [await workerOf(here), await workerOf(there)];
  const leg = await phones.allocateLeg({ room: here, log });
  const moving = phones.moveLeg(leg, there);
  await expect.poll(() => from.of('closeLeg')).toHaveLength(1);
  from.attach();
  await moving;
  expect(from.of('openLeg')).toHaveLength(1);
  expect(to.of('openLeg')).toHaveLength(1);
});

test('phones are told the address that is announced, those of this machine its own, and without one where it listens', async () => {
  const told = (change: Partial<RtpConfig>, ...remotes: string[]) => {
    const some = new Phones({ media, rtp: { ...rtp, ...change }, mix, log });
    const address = some.addressFor(remotes);
    void some.close();
    return address;
  };
  const behindNat = { listenAddress: '0.0.0.0', announcedAddress: '192.0.2.44' };
  expect(told(behindNat, '198.51.100.7')).toBe('192.0.2.44');
  expect(told(behindNat, '127.0.0.1')).toBe('127.0.0.1');
  expect(told({ listenAddress: '192.0.2.9' }, '198.51.100.7')).toBe('192.0.2.9');
});

test('phones in a network of ours are told where it listens, but not where one of them, or its media, is elsewhere', () => {
  const told = (remotes: string[], localNetworks?: string[]) => {
    const change = { listenAddress: '10.0.0.9', announcedAddress: '192.0.2.44', localNetworks };
    const some = new Phones({ media, rtp: { ...rtp, ...change }, mix, log });
    const address = some.addressFor(remotes);
    void some.close();
    return address;
  };
  expect(told(['10.0.0.20'])).toBe('10.0.0.9');
  expect(told(['10.0.0.20', '192.168.7.7'])).toBe('10.0.0.9');
  expect(told(['10.0.0.20', '198.51.100.7'])).toBe('192.0.2.44');
  expect(told(['127.0.0.1', '198.51.100.7'])).toBe('192.0.2.44');
  expect(told(['10.0.0.20'], [])).toBe('192.0.2.44');
  expect(told(['198.51.100.7'], ['198.51.100.0/24'])).toBe('10.0.0.9');
  expect(told(['10.0.0.20'], ['198.51.100.7'])).toBe('192.0.2.44');
  expect(told(['2001:db8::7'], ['198.51.100.0/24', '2001:db8::/32'])).toBe('10.0.0.9');
});
