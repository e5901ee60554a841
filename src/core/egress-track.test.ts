import { expect, test } from 'vitest';
import { FakeSfu, someRtpParameters } from '#test/support/fake-sfu.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import { EgressTrack } from './egress-track.ts';
import { defaultRoles } from './grants.ts';
import { joinHidden } from './hidden-participant.ts';
import type { RoomId } from './ids.ts';
import type { Participant } from './participant.ts';
import { Room } from './room.ts';

test('what is taken as it comes goes out as late as a view would show it, and what a view shows is not delayed twice', async () => {
  const log = new KeepingLog();
  const settings = { maxParticipants: -1, inputLimit: -1, lastN: -1, emptyTimeoutMs: 60_000 };
  const id = 'RM_egress' as RoomId;
  const room = await Room.create(
    { id, name: 'egress', displayName: 'Egress', createdAtMs: 0, ...settings, roles: defaultRoles, metadata: {} },
    new FakeSfu(),
    log,
  );
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
