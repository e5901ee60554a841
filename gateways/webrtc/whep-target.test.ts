import { expect, test } from 'vitest';
import type { TrackSource } from '#core/track.ts';
import { choosePlay, type PlayCandidate, type PlayMemory } from './whep-target.ts';

let startedAtMs = 0;

function stream(id: string, participantId: string, source: TrackSource, user = participantId): PlayCandidate {
  const kind = source === 'microphone' || source === 'screen_audio' ? 'audio' : 'video';
  startedAtMs += 1;
  return { publicationId: id, participantId, user, kind, source, startedAtMs };
}

const phone = stream('phone-mic', 'phone', 'microphone');
const annaMic = stream('anna-mic', 'anna', 'microphone');
const annaCam = stream('anna-cam', 'anna', 'camera');
const ben1Mic = stream('ben-mic', 'ben-1', 'microphone', 'ben');
const ben1Screen = stream('ben-screen', 'ben-1', 'screen', 'ben');
const ben1Cam = stream('ben-cam', 'ben-1', 'camera', 'ben');
const ben1Sound = stream('ben-sound', 'ben-1', 'screen_audio', 'ben');
const everybody = [phone, annaMic, annaCam, ben1Mic, ben1Screen, ben1Cam, ben1Sound];

const room = { kind: 'room' } as const;
const named = (name: string) => ({ kind: 'named', name }) as const;

function ids(...[target, candidates, speaker, memory]: Parameters<typeof choosePlay>) {
  const { audio, video } = choosePlay(target, candidates, speaker, memory);
  return [audio?.publicationId, video?.publicationId];
}

test('a room is whoever speaks, with sound and camera of the same participant', () => {
  expect(ids(room, everybody, 'ben-1', undefined)).toEqual(['ben-mic', 'ben-cam']);
});

test('in silence a room is the first who has video, else the first who has anything', () => {
  expect(ids(room, everybody, null, undefined)).toEqual(['anna-mic', 'anna-cam']);
  expect(ids(room, [phone], null, undefined)).toEqual(['phone-mic', undefined]);
  expect(ids(room, [], null, undefined)).toEqual([undefined, undefined]);
});

test('a player of a room stays with whom it began, and takes somebody else when that one has gone', () => {
  const { memory } = choosePlay(room, everybody, 'ben-1', undefined);
  expect(ids(room, everybody, 'anna', memory)).toEqual(['ben-mic', 'ben-cam']);
  expect(ids(room, [phone, annaMic, annaCam], null, memory)).toEqual(['anna-mic', 'anna-cam']);
});

test('a participant is named by id or by user', () => {
  expect(ids(named('anna'), everybody, null, undefined)).toEqual(['anna-mic', 'anna-cam']);
  expect(ids(named('ben'), everybody, null, undefined)).toEqual(['ben-mic', 'ben-cam']);
  expect(ids(named('carla'), everybody, null, undefined)).toEqual([undefined, undefined]);
});

test('of two connections of one user the newer is played: the older may be dead', () => {
  const again = [stream('ben-mic-2', 'ben-2', 'microphone', 'ben'), stream('ben-cam-2', 'ben-2', 'camera', 'ben')];
  expect(ids(named('ben'), [...everybody, ...again], null, undefined)).toEqual(['ben-mic-2', 'ben-cam-2']);
});

test('whoever was watched by participant id is found again under the same user', () => {
  const { memory } = choosePlay(named('ben-1'), everybody, null, undefined);
  const back = [annaCam, stream('ben-cam-3', 'ben-3', 'camera', 'ben')];
  expect(ids(named('ben-1'), [annaCam], null, memory)).toEqual([undefined, undefined]);
  expect(ids(named('ben-1'), back, null, memory)).toEqual([undefined, 'ben-cam-3']);
});

test.each([
  ['ben-mic', ['ben-mic', undefined]],
  ['ben-cam', [undefined, 'ben-cam']],
  ['ben-screen', ['ben-sound', 'ben-screen']],
])('publication %s alone is played as %j', (id, expected) => {
  expect(ids(named(id), everybody, null, undefined)).toEqual(expected);
});

test('a publication that comes back under a new id is known by user, kind and source', () => {
  const { memory } = choosePlay(named('ben-screen'), everybody, null, undefined);
  const expected: PlayMemory = { participantId: 'ben-1', user: 'ben', only: { kind: 'video', source: 'screen' } };
  expect(memory).toEqual(expected);
  const back = [stream('ben-cam-4', 'ben-4', 'camera', 'ben'), stream('ben-screen-4', 'ben-4', 'screen', 'ben')];
  expect(ids(named('ben-screen'), back, null, memory)).toEqual([undefined, 'ben-screen-4']);
  expect(ids(named('ben-screen'), back.slice(0, 1), null, memory)).toEqual([undefined, undefined]);
});
