import { expect, test } from 'vitest';
import type { ParticipantInfo, PublicationInfo } from '#signalling/protocol.ts';
import { initialState, type RoomState } from '../client/room-state.ts';
import { type ArrangeOptions, arrange, keepSpeakerInView, tilesOf } from './tiles.ts';

const all = { audio: true, video: true, data: true };
const options: ArrangeOptions = {
  pinnedKey: undefined,
  wantsSpotlight: false,
  activeSpeaker: null,
  screenKey: undefined,
};

function publication(
  id: string,
  source: PublicationInfo['source'],
  change: Partial<PublicationInfo> = {},
): PublicationInfo {
  return {
    id,
    participantId: '',
    kind: 'video',
    source,
    label: '',
    isMuted: false,
    isMutedByModerator: false,
    mimeType: 'video/VP8',
    encodingCount: 3,
    ...change,
  };
}

function participant(id: string, joinedAtMs: number, publications: readonly PublicationInfo[] = []): ParticipantInfo {
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
    joinedAtMs,
    publications,
    dataPublications: [],
  };
}

function room(...participants: ParticipantInfo[]): RoomState {
  return { ...initialState, selfId: 'me', participants: new Map(participants.map((one) => [one.id, one])) };
}

const keys = (state: RoomState) => tilesOf(state).map(({ key }) => key);

test('oneself comes first, then the others as they came', () => {
  expect(keys(room(participant('b', 3), participant('a', 1), participant('me', 2)))).toEqual([
    'me-camera',
    'a-camera',
    'b-camera',
  ]);
});

test('switching a camera on keeps the tile', () => {
  const off = keys(room(participant('a', 1)));
  expect(keys(room(participant('a', 1, [publication('TR_1', 'camera')])))).toEqual(off);
});

test('each further video of a participant has a tile of its own', () => {
  const videos = [publication('TR_1', 'camera'), publication('TR_2', 'other'), publication('TR_3', 'screen')];
  expect(keys(room(participant('a', 1, videos)))).toEqual(['a-camera', 'TR_2', 'TR_3']);
});

test('who shares only a screen is there with initials too', () => {
  expect(keys(room(participant('a', 1, [publication('TR_3', 'screen')])))).toEqual(['a-camera', 'TR_3']);
});

const me = participant('me', 0);
const withScreen = participant('a', 1, [publication('TR_3', 'screen')]);

test.each([
  ['alone one sees the grid', [me], options, 'grid', 'me-camera'],
  ['two see each other large', [me, participant('a', 1)], options, 'duo', 'a-camera'],
  ['three stand in the grid', [me, participant('a', 1), participant('b', 2)], options, 'grid', 'me-camera'],
  ['a shared screen is large', [me, withScreen], options, 'spotlight', 'TR_3'],
  ['a pin counts more than a screen', [me, withScreen], { ...options, pinnedKey: 'a-camera' }, 'spotlight', 'a-camera'],
  [
    'in the speaker view whoever speaks is large',
    [me, participant('a', 1), participant('b', 2)],
    { ...options, wantsSpotlight: true, activeSpeaker: 'b' },
    'spotlight',
    'b-camera',
  ],
  [
    'a pin on somebody who has left counts nothing',
    [me, participant('a', 1), participant('b', 2)],
    { ...options, pinnedKey: 'gone-camera' },
    'grid',
    'me-camera',
  ],
] as const)('%s', (_title, participants, given, mode, first) => {
  const arrangement = arrange(tilesOf(room(...participants)), given);
  expect(arrangement.mode).toBe(mode);
  expect(arrangement.tiles[0]?.key).toBe(first);
});

const present = ['me', 'a', 'b', 'c', 'd'];

test('a speaker on the second page changes places with whoever has been quiet longest', () => {
  const spokenAt = new Map([['a', 10]]);
  expect(keepSpeakerInView(present, present, 3, 'd', spokenAt)).toEqual(['me', 'a', 'd', 'c', 'b']);
});

test('a speaker who is in view moves nobody', () => {
  expect(keepSpeakerInView(present, present, 3, 'b', new Map())).toEqual(present);
});

test('who comes stands last and who goes leaves no hole', () => {
  expect(keepSpeakerInView(['me', 'd', 'a'], ['me', 'a', 'e', 'd'], 4, undefined, new Map())).toEqual([
    'me',
    'd',
    'a',
    'e',
  ]);
});
