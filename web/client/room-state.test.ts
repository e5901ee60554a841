import { expect, test } from 'vitest';
import type { ChatInfo, JoinResult, ParticipantInfo, PublicationInfo } from '#signalling/protocol.ts';
import { applyEvent, enterRoom, initialState, type RoomState } from './room-state.ts';

const all = { audio: true, video: true, data: true };

function participant(id: string, change: Partial<ParticipantInfo> = {}): ParticipantInfo {
  return {
    id,
    kind: 'webrtc',
    user: id,
    displayName: id,
    role: 'presenter',
    permissions: { publish: all, subscribe: all, chat: true, moderate: false },
    attributes: {},
    avatarId: null,
    isHandRaised: false,
    isConnected: true,
    quality: 'good',
    joinedAtMs: 0,
    publications: [],
    dataPublications: [],
    ...change,
  };
}

function publication(id: string, participantId: string, change: Partial<PublicationInfo> = {}): PublicationInfo {
  return {
    id,
    participantId,
    kind: 'video',
    source: 'camera',
    label: '',
    isMuted: false,
    isMutedByModerator: false,
    mimeType: 'video/VP8',
    encodingCount: 3,
    ...change,
  };
}

function message(id: string, to: string, sentAtMs: number): ChatInfo {
  return { id, from: { id: 'PA_a', displayName: 'a' }, to, text: id, sentAtMs };
}

const meeting = { isLocked: false, hasWaitingRoom: false, asksConsent: false, endsAtMs: null };

function joinResult(change: Partial<JoinResult> = {}): JoinResult {
  return {
    protocol: 1,
    participantId: 'PA_a',
    ticket: 'TK_1',
    resumeGraceMs: 60_000,
    room: {
      id: 'RM_1',
      name: 'demo',
      displayName: 'demo',
      lastN: -1,
      maxParticipants: -1,
      metadata: {},
      isRecorded: false,
      ...meeting,
    },
    participants: [participant('PA_a'), participant('PA_b')],
    activeSpeaker: null,
    chat: [],
    rtpCapabilities: {},
    iceServers: [],
    ...change,
  };
}

const joined = enterRoom(initialState, joinResult());
const publicationsOf = (state: RoomState, id: string) => state.participants.get(id)?.publications.map((p) => p.id);

test('a join fills the room', () => {
  expect(joined).toMatchObject({ phase: 'joined', selfId: 'PA_a' });
  expect([...joined.participants.keys()]).toEqual(['PA_a', 'PA_b']);
});

test('publications come, change in place and go', () => {
  const added = ['TR_1', 'TR_2'].reduce(
    (state, id) => applyEvent(state, 'publicationAdded', { publication: publication(id, 'PA_b') }, 0),
    joined,
  );
  expect(publicationsOf(added, 'PA_b')).toEqual(['TR_1', 'TR_2']);
  const muted = applyEvent(
    added,
    'publicationUpdated',
    { publication: publication('TR_1', 'PA_b', { isMuted: true }) },
    0,
  );
  expect(publicationsOf(muted, 'PA_b')).toEqual(['TR_1', 'TR_2']);
  expect(muted.participants.get('PA_b')?.publications[0]?.isMuted).toBe(true);
  const removed = applyEvent(
    muted,
    'publicationRemoved',
    { publicationId: 'TR_1', participantId: 'PA_b', reason: 'requested' },
    0,
  );
  expect(publicationsOf(removed, 'PA_b')).toEqual(['TR_2']);
});

test('an event about somebody unknown changes nobody', () => {
  const after = applyEvent(joined, 'publicationAdded', { publication: publication('TR_1', 'PA_x') }, 0);
  expect(after.participants).toBe(joined.participants);
});

test('the active speaker who leaves is active no more', () => {
  const speaking = applyEvent(joined, 'activeSpeaker', { participantId: 'PA_b' }, 0);
  const left = applyEvent(speaking, 'participantLeft', { participantId: 'PA_b', reason: 'peer_left' }, 0);
  expect(left.activeSpeaker).toBeNull();
  expect([...left.participants.keys()]).toEqual(['PA_a']);
});

test('a chat message that is replayed appears once', () => {
  const once = applyEvent(joined, 'chat', message('MS_1', 'all', 1), 0);
  expect(applyEvent(once, 'chat', message('MS_1', 'all', 1), 0).chat).toHaveLength(1);
});

test('joining again keeps private messages, which the server does not tell twice, in order of time', () => {
  const before = applyEvent(joined, 'chat', message('MS_2', 'PA_a', 2), 0);
  const again = enterRoom(before, joinResult({ chat: [message('MS_1', 'all', 1), message('MS_3', 'all', 3)] }));
  expect(again.chat.map(({ id }) => id)).toEqual(['MS_1', 'MS_2', 'MS_3']);
});

test('an announced end of the server is a time of day', () => {
  const told = applyEvent(joined, 'draining', { closesInMs: 5_000 }, 1_000);
  expect(told.closesAtMs).toBe(6_000);
  expect(applyEvent(told, 'draining', { closesInMs: null }, 2_000).closesAtMs).toBeUndefined();
});
