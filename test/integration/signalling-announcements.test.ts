// What a room tells its participants of each other, and what it keeps to moderators.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { publishSome, type SignallingStack, startSignalling } from '#test/support/signalling-stack.ts';

let stack: SignallingStack;
beforeEach(async () => {
  stack = await startSignalling();
});
afterEach(() => stack.close());

test('a room that does not announce its audience tells of who publishes, and moderators of everybody', async () => {
  await stack.rooms.update('demo', { announcesAudience: false });
  const host = await stack.join('host', 'moderator');
  const alice = await stack.join('alice');
  const bob = await stack.join('bob');
  expect(bob.joined.participants.map(({ user }) => user)).toEqual(['bob']);
  await host.peer.event('participantJoined', ({ participant }) => participant.user === 'bob');
  await publishSome(alice.peer);
  await bob.peer.event('publicationAdded');
  const told = () =>
    bob.peer.events.flatMap(({ event, data }) =>
      event === 'participantJoined' ? [(data as { participant: { user: string } }).participant.user] : [],
    );
  expect(told()).toEqual(['alice']);
  // Who was never told of leaves without a word; the one that was known is missed.
  await host.peer.request('leave', {});
  await alice.peer.request('leave', {});
  await bob.peer.event('participantLeft', ({ participantId }) => participantId === alice.joined.participantId);
  expect(bob.peer.events.filter(({ event }) => event === 'participantLeft')).toHaveLength(1);
  const carol = await stack.join('carol');
  await stack.rooms.update('demo', { announcesAudience: true });
  await bob.peer.event('participantJoined', ({ participant }) => participant.id === carol.joined.participantId);
});

test('a room that does not announce its streams tells moderators of them; ids that are known are subscribed to', async () => {
  await stack.rooms.update('demo', { announcesStreams: false });
  const [host, alice] = [await stack.join('host', 'moderator'), await stack.join('alice')];
  const early = await publishSome(alice.peer);
  const bob = await stack.join('bob');
  expect(bob.joined.participants.find(({ user }) => user === 'alice')?.publications).toHaveLength(1);
  const late = await publishSome(alice.peer, 'video');
  const isLate = ({ publication }: { publication: { id: string } }) => publication.id === late.publicationId;
  // Of one's own one is always told, and moderators of all.
  for (const { peer } of [host, alice]) await peer.event('publicationAdded', isLate);
  const { id: transportId } = await bob.peer.request('createTransport', {
    direction: 'recv',
    rtpCapabilities: stack.sfu.rtpCapabilities as never,
  });
  const { subscriptions } = await bob.peer.request('subscribe', {
    transportId,
    publicationIds: [late.publicationId],
  });
  expect(subscriptions).toHaveLength(1);
  await alice.peer.request('unpublish', { publicationId: early.publicationId });
  await host.peer.event('publicationRemoved', ({ publicationId }) => publicationId === early.publicationId);
  await bob.peer.request('ping', {});
  expect(bob.peer.events.filter(({ event }) => event.startsWith('publication'))).toEqual([]);
  await stack.rooms.update('demo', { announcesStreams: true });
  await bob.peer.event('publicationAdded', isLate);
  await bob.peer.event('publicationRemoved', ({ publicationId }) => publicationId === early.publicationId);
});
