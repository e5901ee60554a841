import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeSfu, type FakeSfuRoom, someRtpParameters } from '#test/support/fake-sfu.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';
import type { GatewayError } from './errors.ts';
import { defaultRoles } from './grants.ts';
import type { RoomId } from './ids.ts';
import type { Participant } from './participant.ts';
import { Room, type RoomRecord } from './room.ts';
import type { Publication, TrackSource } from './track.ts';

const record: RoomRecord = {
  id: 'RM_test' as RoomId,
  name: 'test',
  displayName: 'Test',
  createdAtMs: 0,
  maxParticipants: -1,
  inputLimit: -1,
  lastN: -1,
  emptyTimeoutMs: 1_000,
  roles: defaultRoles,
  metadata: {},
};

let sfu: FakeSfu;
let room: Room;

async function open(settings: Partial<RoomRecord> = {}): Promise<Room> {
  sfu = new FakeSfu();
  room = await Room.create({ ...record, ...settings }, sfu, new KeepingLog());
  return room;
}

const join = (user: string, role = 'presenter', isHidden = false): Participant =>
  room.join({ kind: 'webrtc', user, displayName: user, role, isHidden });

const sfuRoom = (): FakeSfuRoom => sfu.rooms.at(-1) as FakeSfuRoom;

async function publish(participant: Participant, kind: 'audio' | 'video' = 'video', source: TrackSource = 'camera') {
  const transport = await participant.createTransport();
  return participant.publish(transport, { kind, source, rtpParameters: someRtpParameters(kind) });
}

async function watch(participant: Participant, publication: Publication) {
  const transport = await participant.createTransport();
  const subscription = await participant.subscribe(transport, publication, { rtpCapabilities: sfu.rtpCapabilities });
  await subscription.resume();
  return subscription;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    return (thrown as GatewayError).code;
  }
  return 'none';
}

const codeOfAsync = (promise: Promise<unknown>) =>
  promise.then(
    () => 'none',
    (thrown: GatewayError) => thrown.code,
  );

beforeEach(() => open());
afterEach(() => room.close());

describe('joining', () => {
  test('listeners hear of who comes and who goes, and why', async () => {
    const heard: string[] = [];
    room.events.on('participantJoined', ({ user }) => heard.push(`+${user}`));
    room.events.on('participantLeft', ({ user }, reason) => heard.push(`-${user} ${reason}`));
    const alice = join('alice');
    await alice.close('kicked');
    expect(heard).toEqual(['+alice', '-alice kicked']);
    expect(room.participants.size).toBe(0);
  });

  test('a full room refuses the next one, and hidden ones do not count', async () => {
    await open({ maxParticipants: 1 });
    join('recorder', 'viewer', true);
    join('alice');
    expect(codeOf(() => join('bob'))).toBe('room_full');
  });

  test('in a full room somebody may take the place of one who is in, once', async () => {
    await open({ maxParticipants: 1 });
    const alice = join('alice');
    const party = { kind: 'sip', displayName: 'Heir', role: 'presenter', takesPlaceOf: alice.id } as const;
    const heir = room.join({ ...party, user: 'heir' });
    expect(codeOf(() => room.join({ ...party, user: 'second' }))).toBe('room_full');
    await heir.close('peer_left');
    const other = room.join({ ...party, user: 'third' });
    await alice.close('requested');
    expect([...room.participants.values()]).toEqual([other]);
    expect(codeOf(() => room.join({ ...party, user: 'fourth' }))).toBe('room_full');
  });

  test('a role that the room does not have is refused', () => {
    expect(codeOf(() => join('alice', 'emperor'))).toBe('forbidden');
    expect(room.participants.size).toBe(0);
  });

  test('a closed room refuses', async () => {
    await room.close();
    expect(codeOf(() => join('alice'))).toBe('closed');
  });
});

describe('publishing', () => {
  test('roles decide who may', async () => {
    const viewer = join('vera', 'viewer');
    expect(await codeOfAsync(publish(viewer))).toBe('forbidden');
    const speaker = join('sam', 'audio_only_presenter');
    expect(await codeOfAsync(publish(speaker, 'video'))).toBe('forbidden');
    expect(await codeOfAsync(publish(speaker, 'audio', 'microphone'))).toBe('none');
  });

  test('the room’s input limit holds for all together', async () => {
    await open({ inputLimit: 2 });
    await publish(join('alice'));
    const second = await publish(join('bob'));
    const carol = join('carol');
    expect(await codeOfAsync(publish(carol))).toBe('limit_reached');
    await second.close();
    expect(await codeOfAsync(publish(carol))).toBe('none');
  });

  test('a codec that the room lacks is refused and leaves nothing behind', async () => {
    const alice = join('alice');
    const transport = await alice.createTransport();
    const rtpParameters = { codecs: [{ mimeType: 'video/unheard-of', payloadType: 96, clockRate: 90_000 }] };
    const attempt = alice.publish(transport, { kind: 'video', source: 'camera', rtpParameters });
    expect(await codeOfAsync(attempt)).toBe('no_common_codec');
    expect(alice.publications.size).toBe(0);
  });

  test('audio is observed for levels', async () => {
    const publication = await publish(join('alice'), 'audio', 'microphone');
    expect(sfuRoom().observed).toEqual([publication.producer]);
  });

  test('a role that changes ends what it no longer allows', async () => {
    const alice = join('alice');
    const publication = await publish(alice);
    alice.update({ role: 'viewer' });
    expect(await publication.done).toBe('kicked');
  });

  test('leaving closes the producer', async () => {
    const alice = join('alice');
    const { producer } = await publish(alice);
    await alice.close();
    expect(producer.isClosed).toBe(true);
  });
});

describe('muting', () => {
  test('a moderator’s mute holds until a moderator lifts it', async () => {
    const publication = await publish(join('alice'), 'audio', 'microphone');
    await publication.setMuted(true, 'moderator');
    expect(publication.producer.isPaused).toBe(true);
    expect(await codeOfAsync(publication.setMuted(false, 'owner'))).toBe('forbidden');
    await publication.setMuted(false, 'moderator');
    expect(publication.producer.isPaused).toBe(false);
  });

  test('a moderator’s mute holds for what is published in its place, until it is lifted', async () => {
    const alice = join('alice');
    const first = await publish(alice, 'audio', 'microphone');
    await first.setMuted(true, 'moderator');
    await first.close();
    const again = await publish(alice, 'audio', 'microphone');
    expect(again).toMatchObject({ isMuted: true, isMutedByModerator: true });
    expect(again.producer.isPaused).toBe(true);
    expect((await publish(alice)).isMuted).toBe(false);
    await again.setMuted(false, 'moderator');
    await again.close();
    expect((await publish(alice, 'audio', 'microphone')).isMuted).toBe(false);
  });

  test('a moderator’s unmute does not open a microphone that its owner closed', async () => {
    const publication = await publish(join('alice'), 'audio', 'microphone');
    await publication.setMuted(true, 'owner');
    await publication.setMuted(true, 'moderator');
    await publication.setMuted(false, 'moderator');
    expect(publication.isMuted).toBe(true);
    expect(publication.producer.isPaused).toBe(true);
  });
});

describe('watching', () => {
  test('a publisher is told some time after the last one stopped watching, and at once when somebody starts', async () => {
    vi.useFakeTimers();
    try {
      const publication = await publish(join('alice'));
      const told: boolean[] = [];
      publication.events.on('watchedChanged', (isWatched) => told.push(isWatched));
      vi.advanceTimersByTime(2_000);
      expect(told).toEqual([false]);
      const subscription = await watch(join('bob'), publication);
      expect(told).toEqual([false, true]);
      await subscription.pause();
      vi.advanceTimersByTime(1_000);
      await subscription.resume();
      vi.advanceTimersByTime(5_000);
      expect(told).toEqual([false, true]);
      await subscription.close();
      vi.advanceTimersByTime(2_000);
      expect(told).toEqual([false, true, false]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('the end of a publication ends its subscriptions', async () => {
    const publication = await publish(join('alice'));
    const subscription = await watch(join('bob'), publication);
    await publication.close();
    await subscription.done;
    expect(subscription.consumer.isClosed).toBe(true);
  });
});

describe('last-N', () => {
  test('camera videos beyond N wait for who speaks; screens and pinned ones do not', async () => {
    await open({ lastN: 1 });
    const viewer = join('vera', 'viewer');
    const alice = join('alice');
    const bob = join('bob');
    const aliceAudio = await publish(alice, 'audio', 'microphone');
    const bobAudio = await publish(bob, 'audio', 'microphone');
    const ofAlice = await watch(viewer, await publish(alice));
    const ofBob = await watch(viewer, await publish(bob));
    const screen = await watch(viewer, await publish(bob, 'video', 'screen'));
    const flowing = () => [ofAlice.isFlowing, ofBob.isFlowing, screen.isFlowing];
    expect(flowing()).toEqual([true, false, true]);
    sfuRoom().events.emit('dominantSpeakerChanged', bobAudio.producer.id);
    expect(flowing()).toEqual([false, true, true]);
    sfuRoom().events.emit('dominantSpeakerChanged', null);
    expect(flowing()).toEqual([false, true, true]);
    ofAlice.setPinned(true);
    expect(flowing()).toEqual([true, true, true]);
    ofAlice.setPinned(false);
    sfuRoom().events.emit('dominantSpeakerChanged', aliceAudio.producer.id);
    expect(flowing()).toEqual([true, false, true]);
    room.applyRecord({ ...room.record, lastN: -1 });
    expect(flowing()).toEqual([true, true, true]);
  });
});

describe('selectActiveAudio', () => {
  test('three microphones are let through, whoever is heard among them; the mixer gets all', async () => {
    await open({ selectActiveAudio: true });
    const [viewer, mixer] = [join('vera', 'viewer'), join('mixer', 'presenter', true)];
    const voices: Publication[] = [];
    for (const name of ['ann', 'ben', 'cid', 'dan', 'eve'])
      voices.push(await publish(join(name), 'audio', 'microphone'));
    const shared = await watch(viewer, await publish(join('fay'), 'audio', 'screen_audio'));
    const [ofViewer, ofMixer] = [[], []] as { isFlowing: boolean }[][];
    for (const voice of voices) {
      ofViewer?.push(await watch(viewer, voice));
      ofMixer?.push(await watch(mixer, voice));
    }
    const flowing = () => ofViewer?.map(({ isFlowing }) => Number(isFlowing)).join('');
    expect(flowing()).toBe('11100');
    const levels = (...heard: [index: number, levelDbov: number][]) =>
      sfuRoom().events.emit(
        'levelsMeasured',
        heard.map(([index, levelDbov]) => ({ producerId: voices[index]?.producer.id ?? '', levelDbov })),
      );
    levels([4, -20]);
    expect(flowing()).toBe('11001');
    levels([3, -20], [4, -22]);
    expect(flowing()).toBe('10011');
    expect(ofMixer?.every(({ isFlowing }) => isFlowing)).toBe(true);
    expect(shared.isFlowing).toBe(true);
    room.applyRecord({ ...room.record, selectActiveAudio: false });
    expect(flowing()).toBe('11111');
  });
});

describe('chat', () => {
  test('history keeps what was said to all, and no whispers', () => {
    const alice = join('alice');
    const bob = join('bob');
    room.sendChat(alice, 'all', 'hello');
    room.sendChat(alice, bob.id, 'psst');
    expect(room.chatHistory.map(({ text }) => text)).toEqual(['hello']);
  });

  test.each([
    ['   ', 'invalid_request'],
    ['x'.repeat(4_001), 'too_large'],
  ])('%j is refused', (text, code) => {
    expect(codeOf(() => room.sendChat(undefined, 'all', text))).toBe(code);
  });
});

describe('losing the media worker', () => {
  test('participants stay, their media goes, and they are told when they may come back', async () => {
    const alice = join('alice');
    const publication = await publish(alice);
    const told = new Promise<void>((resolve) => alice.events.on('mediaRestarted', resolve));
    sfuRoom().fail();
    await told;
    expect(await publication.done).toBe('failed');
    expect(alice.isClosed).toBe(false);
    expect(sfu.rooms).toHaveLength(2);
    const transport = await alice.createTransport();
    const again = await alice.publish(transport, {
      kind: 'video',
      source: 'camera',
      rtpParameters: someRtpParameters('video'),
      id: publication.id,
    });
    expect(again.id).toBe(publication.id);
  });

  test('meanwhile new media is refused as lost, to be tried again', async () => {
    const alice = join('alice');
    sfu.failures = 1;
    sfuRoom().fail();
    expect(await codeOfAsync(alice.createTransport())).toBe('media_lost');
  });

  test('a room that cannot be rebuilt closes as failed', async () => {
    join('alice');
    sfu.failures = 100;
    sfuRoom().fail();
    expect(await room.done).toBe('failed');
  });

  test('somebody else’s publication id cannot be taken up', async () => {
    const publication = await publish(join('alice'));
    const mallory = join('mallory');
    const transport = await mallory.createTransport();
    const rtpParameters = someRtpParameters('video');
    const attempt = mallory.publish(transport, { kind: 'video', source: 'camera', rtpParameters, id: publication.id });
    expect(await codeOfAsync(attempt)).toBe('conflict');
  });
});

test('an empty room closes after its time, and not while somebody is in', async () => {
  vi.useFakeTimers();
  try {
    await open({ emptyTimeoutMs: 5_000 });
    vi.advanceTimersByTime(4_000);
    const alice = join('alice');
    vi.advanceTimersByTime(60_000);
    expect(room.isClosed).toBe(false);
    await alice.close();
    vi.advanceTimersByTime(5_000);
    expect(await room.done).toBe('idle');
  } finally {
    vi.useRealTimers();
  }
});
