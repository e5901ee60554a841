import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { closeCodes, protocolVersion } from '#signalling/protocol-constants.ts';
import { someRtpParameters } from '#test/support/fake-sfu.ts';
import { SignallingPeer, withTimeout } from '#test/support/signalling-peer.ts';
import { publishSome, type SignallingStack, startSignalling } from '#test/support/signalling-stack.ts';

let stack: SignallingStack;
let { sfu, rooms, signalling, url, plainMessages, failures, join } = {} as SignallingStack;

async function start(...options: Parameters<typeof startSignalling>) {
  stack = await startSignalling(...options);
  ({ sfu, rooms, signalling, url, plainMessages, failures, join } = stack);
}

beforeEach(() => start());
afterEach(() => stack.close());

describe('joining', () => {
  test('says who is there, what one may do and how to come back; the others hear of it', async () => {
    const alice = await join('alice', 'moderator');
    await publishSome(alice.peer);
    const bob = await join('bob');
    expect(bob.joined.participants.map(({ user }) => user)).toEqual(['alice', 'bob']);
    expect(bob.joined.participants[0]?.publications[0]).toMatchObject({
      kind: 'audio',
      source: 'microphone',
      isMuted: false,
    });
    expect(bob.joined.iceServers).toEqual([{ urls: ['stun:stun.example.org'] }]);
    expect(bob.joined.ticket).toMatch(/^TK_/);
    const heard = await alice.peer.event('participantJoined', ({ participant }) => participant.user === 'bob');
    expect(heard.participant.id).toBe(bob.joined.participantId);
  });

  test.each([
    ['a token for another room', { token: 'presenter:eve:other' }, 'forbidden'],
    ['no real token', { token: 'x' }, 'unauthorized'],
    ['a role the room lacks', { token: 'emperor:eve:demo' }, 'forbidden'],
    ['a room that is not', { token: 'presenter:eve:nowhere', room: 'nowhere' }, 'not_found'],
  ])('%s is refused with its reason, and the socket closes', async (_, data, code) => {
    const peer = await SignallingPeer.connect(url);
    expect(await peer.codeOf('join', { protocol: protocolVersion, room: 'demo', ...data })).toBe(code);
    expect(await peer.closed).toEqual({ code: closeCodes.notJoined, reason: code });
    expect(failures).toEqual([code]);
  });

  test('anything but join or resume first is refused', async () => {
    const peer = await SignallingPeer.connect(url);
    expect(await peer.codeOf('ping', {})).toBe('unauthorized');
    expect((await peer.closed).code).toBe(closeCodes.notJoined);
  });

  test('another protocol version is refused', async () => {
    const peer = await SignallingPeer.connect(url);
    expect(await peer.codeOf('join', { protocol: 2 as 1, room: 'demo', token: 'presenter:eve:demo' })).toBe(
      'invalid_request',
    );
  });

  test('a full room says so', async () => {
    await rooms.update('demo', { maxParticipants: 1 });
    await join('alice');
    const peer = await SignallingPeer.connect(url);
    expect(await peer.codeOf('join', { protocol: protocolVersion, room: 'demo', token: 'presenter:bob:demo' })).toBe(
      'room_full',
    );
  });

  test('who joins while the room has lost its media is refused, and leaves nobody behind', async () => {
    const alice = await join('alice');
    const { promise, resolve: openGate } = Promise.withResolvers<void>();
    sfu.gate = promise;
    sfu.rooms[0]?.fail();
    const peer = await SignallingPeer.connect(url);
    const attempt = peer.codeOf('join', { protocol: protocolVersion, room: 'demo', token: 'presenter:bob:demo' });
    expect(await attempt).toBe('media_lost');
    const users = [...rooms.liveRooms()].flatMap((room) => [...room.participants.values()].map(({ user }) => user));
    expect(users).toEqual(['alice']);
    openGate();
    await alice.peer.event('restart');
  });

  test('too many joins from one address have to wait', async () => {
    await stack.close();
    await start({ joinsPerMinute: 2 });
    await join('a');
    await join('b');
    const peer = await SignallingPeer.connect(url);
    expect(await peer.codeOf('join', { protocol: protocolVersion, room: 'demo', token: 'presenter:c:demo' })).toBe(
      'rate_limited',
    );
  });
});

describe('media', () => {
  test('what one publishes others subscribe to, pause and resume', async () => {
    const alice = await join('alice');
    const bob = await join('bob');
    const { publicationId } = await publishSome(alice.peer, 'video');
    await bob.peer.event('publicationAdded', ({ publication }) => publication.id === publicationId);
    const { id: transportId } = await bob.peer.request('createTransport', {
      direction: 'recv',
      rtpCapabilities: sfu.rtpCapabilities as never,
    });
    const { subscriptions, failed } = await bob.peer.request('subscribe', {
      transportId,
      publicationIds: [publicationId, 'TR_nothing'],
    });
    expect(failed).toEqual([
      { publicationId: 'TR_nothing', error: { code: 'not_found', message: expect.any(String) } },
    ]);
    expect(subscriptions).toHaveLength(1);
    const subscriptionId = subscriptions[0]?.id ?? '';
    const again = await bob.peer.request('subscribe', { transportId, publicationIds: [publicationId] });
    expect(again.subscriptions.map(({ id }) => id)).toEqual([subscriptionId]);
    await bob.peer.request('resumeSubscriptions', { subscriptionIds: [subscriptionId] });
    expect(sfu.rooms[0]?.consumers[0]?.isPaused).toBe(false);
    expect(await bob.peer.codeOf('setLayers', { subscriptionId, layers: { spatialLayer: 1 } })).toBe('unprocessable');
    await alice.peer.request('unpublish', { publicationId });
    expect((await bob.peer.event('subscriptionEnded')).subscriptionId).toBe(subscriptionId);
    await bob.peer.event('publicationRemoved', (data) => data.publicationId === publicationId);
  });

  test('subscribing before saying what one decodes is refused with what to do', async () => {
    const { peer } = await join('alice');
    const { id: transportId } = await peer.request('createTransport', { direction: 'recv' });
    expect(await peer.codeOf('subscribe', { transportId, publicationIds: ['TR_x'] })).toBe('invalid_request');
  });

  test('a lost media worker is told as restart, and the same publication id comes back', async () => {
    const { peer } = await join('alice');
    const { publicationId } = await publishSome(peer);
    sfu.rooms[0]?.fail();
    await peer.event('restart');
    const transport = await peer.request('createTransport', { direction: 'send' });
    const rtpParameters = someRtpParameters('audio') as never;
    const again = await peer.request('publish', {
      transportId: transport.id,
      kind: 'audio',
      source: 'microphone',
      rtpParameters,
      publicationId,
    });
    expect(again.publicationId).toBe(publicationId);
  });

  test('data channels are published and read', async () => {
    const alice = await join('alice');
    const bob = await join('bob');
    const send = await alice.peer.request('createTransport', { direction: 'send' });
    const { publicationId } = await alice.peer.request('publishData', {
      transportId: send.id,
      label: 'cursor',
      protocol: '',
      sctpStreamParameters: { streamId: 0, ordered: false, maxRetransmits: 0 },
    });
    await bob.peer.event('dataPublicationAdded', ({ publication }) => publication.label === 'cursor');
    const receive = await bob.peer.request('createTransport', { direction: 'recv' });
    const data = await bob.peer.request('subscribeData', { transportId: receive.id, publicationId });
    await alice.peer.request('unpublishData', { publicationId });
    expect((await bob.peer.event('dataSubscriptionEnded')).subscriptionId).toBe(data.subscriptionId);
  });

  test('a transport that is not one’s own is not found', async () => {
    const alice = await join('alice');
    const bob = await join('bob');
    const { id } = await alice.peer.request('createTransport', { direction: 'send' });
    expect(await bob.peer.codeOf('restartIce', { transportId: id })).toBe('not_found');
  });
});

describe('moderation', () => {
  test('only who may moderate does', async () => {
    const alice = await join('alice');
    const bob = await join('bob');
    const target = { participantId: bob.joined.participantId };
    expect(await alice.peer.codeOf('kickParticipant', target)).toBe('forbidden');
    expect(await alice.peer.codeOf('muteParticipant', { ...target, isMuted: true })).toBe('forbidden');
    expect(await alice.peer.codeOf('setRole', { ...target, role: 'viewer' })).toBe('forbidden');
  });

  test('a force-mute pauses at the server and cannot be undone by its target', async () => {
    const moderator = await join('mona', 'moderator');
    const bob = await join('bob');
    const { publicationId } = await publishSome(bob.peer);
    const { participantId } = bob.joined;
    expect(await moderator.peer.request('muteParticipant', { participantId, isMuted: true })).toEqual({ changed: 1 });
    await bob.peer.event('publicationUpdated', ({ publication }) => publication.isMutedByModerator);
    expect(sfu.rooms[0]?.producers[0]?.isPaused).toBe(true);
    expect(await bob.peer.codeOf('setMuted', { publicationId, isMuted: false })).toBe('forbidden');
  });

  test('who is kicked is told why and not to come back by itself', async () => {
    const moderator = await join('mona', 'moderator');
    const bob = await join('bob');
    await moderator.peer.request('kickParticipant', { participantId: bob.joined.participantId });
    expect(await bob.peer.event('closed')).toMatchObject({ reason: 'kicked' });
    expect((await bob.peer.closed).code).toBe(closeCodes.ended);
    const left = await moderator.peer.event('participantLeft');
    expect(left).toEqual({ participantId: bob.joined.participantId, reason: 'kicked' });
  });

  test('a new role is seen by all and ends what it does not allow', async () => {
    const moderator = await join('mona', 'moderator');
    const bob = await join('bob');
    const { publicationId } = await publishSome(bob.peer);
    await moderator.peer.request('setRole', { participantId: bob.joined.participantId, role: 'viewer' });
    await moderator.peer.event('publicationRemoved', (data) => data.publicationId === publicationId);
    const { participant } = await bob.peer.event('participantUpdated', (data) => data.participant.role === 'viewer');
    expect(participant.permissions.publish.audio).toBe(false);
  });
});

describe('chat and presence', () => {
  test('to all reaches all, to one reaches that one and the sender', async () => {
    const [alice, bob, carol] = [await join('alice'), await join('bob'), await join('carol')];
    await alice.peer.request('chat', { to: bob.joined.participantId, text: 'psst' });
    await alice.peer.request('chat', { to: 'all', text: 'hello' });
    await carol.peer.event('chat', ({ text }) => text === 'hello');
    await alice.peer.event('chat', ({ text }) => text === 'psst');
    await bob.peer.event('chat', ({ text }) => text === 'psst');
    expect(
      carol.peer.events.some(({ event, data }) => event === 'chat' && (data as { text: string }).text === 'psst'),
    ).toBe(false);
    const late = await join('dave');
    expect(late.joined.chat.map(({ text }) => text)).toEqual(['hello']);
  });

  test('a raised hand is seen, and lowered by a moderator', async () => {
    const moderator = await join('mona', 'moderator');
    const bob = await join('bob');
    await bob.peer.request('raiseHand', { isRaised: true });
    await moderator.peer.event('participantUpdated', ({ participant }) => participant.isHandRaised);
    await moderator.peer.request('lowerHand', { participantId: bob.joined.participantId });
    await bob.peer.event(
      'participantUpdated',
      ({ participant }) => participant.user === 'bob' && !participant.isHandRaised,
    );
  });
});

describe('a lost socket', () => {
  test('keeps place and media; a new one gets exactly what was missed', async () => {
    const alice = await join('alice');
    const bob = await join('bob');
    await publishSome(bob.peer);
    await bob.peer.event('publicationAdded');
    const lastSeq = bob.peer.lastSeq;
    bob.peer.socket.terminate();
    await alice.peer.event(
      'participantUpdated',
      ({ participant }) => participant.user === 'bob' && participant.quality === 'lost',
    );
    for (const text of ['one', 'two']) await alice.peer.request('chat', { to: 'all', text });
    const again = await SignallingPeer.connect(url);
    const resumed = await again.request('resume', { ticket: bob.joined.ticket, lastSeq });
    expect(resumed.hasMedia).toBe(true);
    await again.event('chat', ({ text }) => text === 'two');
    const seqs = again.events.flatMap(({ seq }) => seq ?? []);
    expect(seqs).toEqual(Array.from(seqs, (_, index) => lastSeq + 1 + index));
    expect(sfu.rooms[0]?.producers[0]?.isClosed).toBe(false);
    await again.request('chat', { to: 'all', text: 'back' });
    await alice.peer.event('chat', ({ text }) => text === 'back');
  });

  test('a ticket works once, and never for somebody who guesses', async () => {
    const { joined } = await join('alice');
    const first = await SignallingPeer.connect(url);
    await first.request('resume', { ticket: joined.ticket, lastSeq: 0 });
    await first.request('ping', {});
    for (const ticket of [joined.ticket, 'TK_guess']) {
      const peer = await SignallingPeer.connect(url);
      expect(await peer.codeOf('resume', { ticket, lastSeq: 0 })).toBe('closed');
    }
  });

  test('a resume whose answer was lost can be tried again with the same ticket', async () => {
    const { joined } = await join('alice');
    const lost = await SignallingPeer.connect(url);
    await lost.request('resume', { ticket: joined.ticket, lastSeq: 0 });
    lost.socket.terminate();
    const again = await SignallingPeer.connect(url);
    await again.request('resume', { ticket: joined.ticket, lastSeq: 0 });
    expect(await again.request('ping', {})).toHaveProperty('serverTimeMs');
  });

  test('resuming while the old socket still lives replaces it', async () => {
    const { peer, joined } = await join('alice');
    const second = await SignallingPeer.connect(url);
    await second.request('resume', { ticket: joined.ticket, lastSeq: 0 });
    expect((await peer.closed).code).toBe(closeCodes.replaced);
    expect(await second.request('ping', {})).toHaveProperty('serverTimeMs');
  });

  test('after the grace time the participant has left', async () => {
    await stack.close();
    await start({}, 50);
    const alice = await join('alice');
    const bob = await join('bob');
    bob.peer.socket.terminate();
    expect(await alice.peer.event('participantLeft')).toEqual({
      participantId: bob.joined.participantId,
      reason: 'timeout',
    });
  });
});

describe('hostile input', () => {
  test('10 000 random messages: each gets its error, and the session goes on', async () => {
    await stack.close();
    await start({ messagesPerSecond: 100_000 });
    const { peer } = await join('alice');
    const count = 10_000;
    const scalar = fc.oneof(fc.string({ maxLength: 20 }), fc.integer(), fc.constant(null), fc.boolean());
    const nearly = fc.record(
      {
        id: fc.oneof(fc.integer(), fc.string()),
        method: fc.constantFrom(
          'publish',
          'subscribe',
          'createTransport',
          'setLayers',
          'chat',
          '__proto__',
          'constructor',
          'x',
        ),
        data: fc.oneof(fc.dictionary(fc.string({ maxLength: 8 }), scalar, { maxKeys: 4 }), scalar),
      },
      { requiredKeys: [] },
    );
    const messages = fc.sample(
      fc.oneof(
        fc.string({ maxLength: 100 }),
        fc.json(),
        nearly.map((value) => JSON.stringify(value)),
      ),
      { numRuns: count, seed: 20_261_121 },
    );
    // A random createTransport with empty data would be a right one; leave no such luck.
    const wrong = messages.map((text) => (text.includes('createTransport') ? '{"id":-1}' : text));
    for (const text of wrong) peer.socket.send(text);
    const answers = await peer.strays(count);
    expect(answers).toHaveLength(count);
    expect(answers.every(({ ok, error }) => !ok && error && error.code !== 'internal' && error.message !== '')).toBe(
      true,
    );
    expect(await peer.request('ping', {})).toHaveProperty('serverTimeMs');
  });

  test('a message over the limit ends the socket, not the place', async () => {
    const { peer, joined } = await join('alice');
    peer.socket.send('x'.repeat(300_000));
    expect((await peer.closed).code).toBe(1009);
    const again = await SignallingPeer.connect(url);
    await again.request('resume', { ticket: joined.ticket, lastSeq: 0 });
  });

  test('binary frames get an error', async () => {
    const { peer } = await join('alice');
    peer.socket.send(Buffer.from([1, 2, 3]));
    expect((await peer.strays(1))[0]?.error?.code).toBe('invalid_request');
  });

  test('who sends faster than allowed is slowed down, and loses nothing', async () => {
    await stack.close();
    await start({ messagesPerSecond: 40 });
    const { peer } = await join('alice');
    const answers = await withTimeout(
      Promise.all(Array.from({ length: 240 }, () => peer.request('ping', {}))),
      'all answers',
    );
    expect(answers).toHaveLength(240);
  });
});

test('a plain SDP client is handed over with all its messages', async () => {
  const peer = await SignallingPeer.connect(url);
  peer.socket.send('{"type":"join","roomId":"demo"}');
  peer.socket.send('{"type":"offer"}');
  await peer.strays(1);
  expect(plainMessages).toEqual(['{"type":"join","roomId":"demo"}', '{"type":"offer"}']);
});

test('a server that shuts down tells everybody, and refuses new sockets meanwhile', async () => {
  const { peer } = await join('alice');
  signalling.refuseNew();
  signalling.announceDrain(5_000);
  expect(await peer.event('draining')).toEqual({ closesInMs: 5_000 });
  const late = await SignallingPeer.connect(url);
  expect((await late.closed).code).toBe(closeCodes.serverClosing);
  await signalling.close('drained');
  expect(await peer.event('closed')).toMatchObject({ reason: 'drained' });
  expect((await peer.closed).code).toBe(closeCodes.serverClosing);
});
