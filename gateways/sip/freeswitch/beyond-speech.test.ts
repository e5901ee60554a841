import { expect, test } from 'vitest';
import type { LegParameters } from '#core/leg-media.ts';
import { BeyondSpeech, isEncryptedOffer, mediaOf } from './beyond-speech.ts';

const leg = { remotePort: 30_002, direction: 'sendrecv' } as unknown as LegParameters;
const sdpOf = (formats: string, lines: readonly string[] = [], address = '192.0.2.20') =>
  [
    'v=0',
    `o=FreeSWITCH 7 8 IN IP4 ${address}`,
    's=FreeSWITCH',
    `c=IN IP4 ${address}`,
    't=0 0',
    formats,
    ...lines,
    '',
  ].join('\r\n');
const offer = sdpOf('m=audio 4000 RTP/AVP 18 101', ['a=rtpmap:101 telephone-event/8000'], '198.51.100.3');
const answer = sdpOf('m=audio 30000 RTP/AVP 18 101', ['a=rtpmap:101 telephone-event/8000', 'a=sendrecv']);
const speechOf = () => new BeyondSpeech({ sdp: answer, offer, leg, sessionId: '1' });
const held = offer.replace(/\r\n$/, '\r\na=sendonly\r\n');

test('answers with what FreeSWITCH says, under an o= line of its own', () => {
  const { sdp, parameters } = speechOf().answer(offer);
  expect(sdp.split('\r\n').slice(0, 3)).toEqual(['v=0', 'o=- 1 1 IN IP4 192.0.2.20', 's=-']);
  expect(sdp).toContain('m=audio 30000 RTP/AVP 18 101\r\n');
  expect(sdp.match(/^a=sendrecv/gm)).toHaveLength(1);
  expect(sdp).not.toContain('FreeSWITCH');
  expect(parameters).toEqual(leg);
});

test('the version of the description grows when it changes and only then', () => {
  const speech = speechOf();
  const versions = [speech.answer(offer).sdp, speech.offer()].map((sdp) => /^o=- 1 (\d+)/m.exec(sdp)?.[1]);
  speech.want('sendonly');
  expect([...versions, /^o=- 1 (\d+)/m.exec(speech.offer())?.[1]]).toEqual(['1', '1', '2']);
});

test('a phone that holds is answered recvonly, and its leg is told', () => {
  const speech = speechOf();
  speech.expect(held, answer);
  const { sdp, parameters } = speech.answer(held);
  expect([/^a=(\w+)\s*$/m.exec(sdp.split('m=audio')[1] ?? '')?.[1], parameters.direction]).toEqual([
    'recvonly',
    'recvonly',
  ]);
});

test('an offer that FreeSWITCH was not asked about has no answer', () => {
  expect(() => speechOf().answer(held)).toThrow('was not asked');
});

test('our hold is offered, and what the phone makes of it holds', () => {
  const speech = speechOf();
  speech.want('sendonly');
  expect(speech.offer()).toContain('a=sendonly\r\n');
  expect(speech.accept(offer.replace(/\r\n$/, '\r\na=recvonly\r\n')).direction).toBe('sendonly');
});

test('lines of video keep what FreeSWITCH says of them', () => {
  const sdp = sdpOf('m=audio 30000 RTP/AVP 0', ['a=sendrecv', 'm=video 0 RTP/AVP 96']);
  const written = new BeyondSpeech({ sdp, offer, leg }).answer(offer).sdp;
  expect(written).toContain('m=audio 30000 RTP/AVP 0\r\na=sendrecv\r\nm=video 0 RTP/AVP 96\r\n');
});

test.each([
  ['m=audio 30000 RTP/AVP 18 101', [], 'g729'],
  ['m=audio 30000 RTP/AVP 101 96', ['a=rtpmap:101 telephone-event/8000', 'a=rtpmap:96 AMR-WB/16000'], 'amr-wb'],
  ['m=audio 30000 RTP/AVP 13 8', ['a=rtpmap:13 CN/8000'], 'pcma'],
])('%s is %s %s', (media, lines, codec) => {
  expect(new BeyondSpeech({ sdp: sdpOf(media, lines), offer, leg }).codec).toBe(codec);
});

test('without audio there is nothing to agree on', () => {
  expect(() => speechOf().accept(sdpOf('m=audio 0 RTP/AVP 18'))).toThrow('takes no audio');
  expect(() => speechOf().accept('nothing')).toThrow('v=0');
});

test('the same media in another direction is nothing new, another port is', () => {
  expect(mediaOf(held)).toBe(mediaOf(offer));
  expect(mediaOf(offer.replace('4000', '4002'))).not.toBe(mediaOf(offer));
  expect(
    mediaOf(offer.replace('198.51.100.3', '198.51.100.4').replace('c=IN IP4 198.51.100.3', 'c=IN IP4 1.2.3.4')),
  ).not.toBe(mediaOf(offer));
  expect(mediaOf('')).toBe('');
});

test('an offer of SRTP is known by its profile', () => {
  expect(isEncryptedOffer(offer)).toBe(false);
  expect(isEncryptedOffer(offer.replace('RTP/AVP', 'RTP/SAVP'))).toBe(true);
  expect(isEncryptedOffer(offer.replace('RTP/AVP', 'UDP/TLS/RTP/SAVPF'))).toBe(true);
});
