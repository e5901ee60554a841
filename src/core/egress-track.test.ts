import { expect, test, vi } from 'vitest';
import { FakeSfu, someRtpParameters } from '#test/support/fake-sfu.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { EgressTrack } from './egress-track.ts';
import { GatewayError } from './errors.ts';
import { defaultRoles } from './grants.ts';
import { joinHidden } from './hidden-participant.ts';
import type { RoomId } from './ids.ts';
import type { Participant } from './participant.ts';
import { Room } from './room.ts';

async function someRoom() {
  const log = new KeepingLog();
  const settings = { maxParticipants: -1, inputLimit: -1, lastN: -1, emptyTimeoutMs: 60_000 };
  const id = 'RM_egress' as RoomId;
  const room = await Room.create(
    { id, name: 'egress', displayName: 'Egress', createdAtMs: 0, ...settings, roles: defaultRoles, metadata: {} },
    new FakeSfu(),
    log,
  );
  return { log, room };
}

test('what is taken as it comes goes out as late as a view would show it, and what a view shows is not delayed twice', async () => {
  const { log, room } = await someRoom();
  const publish = async (by: Participant) =>
    by.publish(await room.media.createPlainTransport(), {
      ...{ kind: 'video', source: 'other', rtpParameters: someRtpParameters('video') },
    });
  const encoder = room.join({ kind: 'ingress', user: 'obs', displayName: 'OBS', role: 'presenter' });
  const passed = await publish(encoder);
  const composed = await publish(joinHidden(room, 'view', 'View'));
  const finder = { current: passed, open: () => Promise.resolve(), close: () => undefined };
  const self = joinHidden(room, 'egress', 'Egress', false);
  const track = new EgressTrack({ kind: 'video', delayMs: 200, room, self, finder, onChanged: () => undefined, log });
  const transport = await room.media.createPlainTransport();
  track.attach(transport);
  await expect.poll(() => track.media.input).toBeDefined();
  expect(track.media.delayMs).toBe(200);
  finder.current = composed;
  track.review();
  await expect.poll(() => track.media.input).toBeDefined();
  expect(track.media.delayMs).toBeUndefined();
  track.close();
  await room.close('ended');
});

test('a source that cannot be had is tried again every second, and its reason said once', async () => {
  vi.useFakeTimers();
  const { log, room } = await someRoom();
  const self = joinHidden(room, 'egress', 'Egress', false);
  const codes = ['not_found', 'not_found', 'not_found', 'overloaded', 'overloaded'] as const;
  const open = vi.fn(() => Promise.reject(new GatewayError(codes[open.mock.calls.length - 1] ?? 'closed', 'Not now.')));
  const finder = { current: undefined, open, close: () => undefined };
  const track = new EgressTrack({ kind: 'video', delayMs: 200, room, self, finder, onChanged: () => undefined, log });
  track.attach(await room.media.createPlainTransport());
  await vi.advanceTimersByTimeAsync(4_500);
  expect(open).toHaveBeenCalledTimes(5);
  expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
  track.close();
  vi.useRealTimers();
  await room.close('ended');
});
