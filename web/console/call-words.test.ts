import { expect, test } from 'vitest';
import type { SipCallResource } from '#api/contract.ts';
import {
  codecText,
  lengthText,
  lossText,
  menuText,
  partyOf,
  qualityText,
  recordedText,
  stateText,
} from './call-words.ts';

const call = (part: Partial<SipCallResource>) =>
  ({ state: 'connected', end: null, isHeld: false, isHeldByPeer: false, isMuted: false, ...part }) as SipCallResource;
const quality = {
  ...{ packetsReceived: 90, packetsSent: 200, packetsLost: 10, remotePacketsLost: 0, jitterMs: 1 },
  ...{ roundTripTimeMs: null, meanOpinionScore: 4.31 },
};

test.each([
  ['sip:alice@pbx.example;transport=tcp', 'alice'],
  ['tel:+4930123;ext=5', '+4930123'],
  ['demo', 'demo'],
])('%s is about %s', (address, party) => expect(partyOf(address)).toBe(party));

test('a call says how it stands, and why it ended', () => {
  expect(stateText(call({ isHeld: true, isMuted: true }))).toBe('In the room, on hold, muted');
  expect(stateText(call({ state: 'asking', roomId: 'RM_1' }))).toBe('Asked for the PIN');
  expect(stateText(call({ state: 'asking', roomId: null }))).toBe('In a menu');
  const end = {
    by: 'peer',
    reason: 'x',
    message: 'The phone hung up.',
    code: null,
    blame: null,
    sipStatus: null,
  } as const;
  expect(stateText(call({ state: 'ended', end }))).toBe('The phone hung up.');
});

test('a call that is or was recorded names its recordings, and one that could not be says why', () => {
  const none = { isRecorded: false, recordings: [], recordingProblem: null, roomName: 'demo' };
  expect(recordedText(call(none))).toBeNull();
  const recordings = ['RC_1', 'RC_2'];
  expect(recordedText(call({ ...none, recordings, isRecorded: true }))).toBe('now: RC_1, RC_2, among those of demo');
  expect(recordedText(call({ ...none, recordings }))).toBe('it was: RC_1, RC_2, among those of demo');
  expect(recordedText(call({ ...none, recordingProblem: 'The disk is full.' }))).toMatch(/is not: The disk is full/);
  expect(stateText(call({ ...none, isRecorded: true }))).toBe('In the room, recorded');
});

test('its way through a menu is told key by key', () => {
  const menu = [
    { node: 'main', pressed: '1', led: 'menu number', call: null },
    { node: 'number', pressed: null, led: 'wrong', call: null },
  ];
  expect(menuText(call({ menu }))).toBe('main: 1 → menu number; number: nothing → wrong');
  expect(menuText(call({ menu: [] }))).toBe('');
});

test('its length counts from the answer, and goes on while it is on', () => {
  const answeredAt = '2030-01-01T00:00:00.000Z';
  expect(lengthText(call({ answeredAt: null, endedAt: null }), 0)).toBe('–');
  expect(lengthText(call({ answeredAt, endedAt: '2030-01-01T00:01:05.000Z' }), 0)).toBe('1 min 5 s');
  expect(lengthText(call({ answeredAt, endedAt: null }), Date.parse(answeredAt) + 3_000)).toBe('3 s');
});

test('its sound is told in numbers and words', () => {
  expect(qualityText(call({ quality }))).toBe('4.3 good');
  expect(qualityText(call({ quality: null }))).toBe('–');
  expect(lossText(call({ quality }))).toBe('10.0 / 0.0 %');
  expect(codecText(call({ codec: 'pcma', isEncrypted: true }))).toBe('G.711 A, encrypted');
});
