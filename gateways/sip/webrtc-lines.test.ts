import { expect, test } from 'vitest';
import { OfferAnswer } from './offer-answer.ts';
import { bridgedFormats, offeredByWebRtc } from './webrtc-lines.ts';

const sha256 = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0').toUpperCase()).join(':');
const bridge = {
  iceParameters: { usernameFragment: 'ourufrag', password: 'ourpassword', iceLite: true },
  iceCandidates: [
    {
      foundation: 'udpcandidate',
      priority: 1_076_558_079,
      ip: '192.0.2.7',
      address: '192.0.2.7',
      protocol: 'udp',
      port: 44_400,
      type: 'host',
    },
  ],
  dtlsParameters: { fingerprints: [{ algorithm: 'sha-256', value: sha256 }] },
  localAddress: '127.0.0.1',
  localPort: 40_001,
} as const;
const codecs = ['opus', 'g722', 'pcmu', 'pcma'] as const;

/** As Chromium writes it, shortened; lines may be left out or put in. */
function offer(change: { without?: RegExp; extra?: readonly string[]; proto?: string } = {}): string {
  const lines = [
    'v=0',
    'o=- 77 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=group:BUNDLE 0 1',
    `m=audio 37280 ${change.proto ?? 'UDP/TLS/RTP/SAVPF'} 111 63 9 0 8 13 110 126`,
    'c=IN IP4 192.0.2.2',
    'a=ice-ufrag:j0OU',
    'a=ice-pwd:c+9WkxtOgDtli/Gu8+ET/0E0',
    `a=fingerprint:sha-256 ${sha256}`,
    'a=setup:actpass',
    'a=mid:0',
    'a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid',
    'a=sendrecv',
    'a=rtcp-mux',
    'a=rtpmap:111 opus/48000/2',
    'a=rtpmap:63 red/48000/2',
    'a=rtpmap:110 telephone-event/48000',
    'a=rtpmap:126 telephone-event/8000',
    'a=ssrc:4104985717 cname:9iwZ',
    ...(change.extra ?? []),
  ];
  return lines.filter((line) => !change.without?.test(line)).join('\r\n');
}

const speech = () => new OfferAnswer({ address: '192.0.2.1', port: 20_000, srtp: 'allow', webRtc: bridge });

test('an offer with ICE and DTLS is answered with ours, one codec and its digits, under the numbers of the phone', () => {
  const formats = offeredByWebRtc(offer(), codecs);
  expect(formats && bridgedFormats(formats)).toEqual([
    { mimeType: 'audio/opus', payloadType: 111, clockRateHz: 48_000, channels: 2 },
    { mimeType: 'audio/telephone-event', payloadType: 110, clockRateHz: 48_000 },
  ]);
  const one = speech();
  const { sdp, parameters } = one.answer(offer());
  for (const line of [
    'm=audio 44400 UDP/TLS/RTP/SAVPF 111 110',
    'a=ice-lite',
    'a=group:BUNDLE 0',
    'a=rtcp-mux',
    'a=mid:0',
    'a=ice-ufrag:ourufrag',
    'a=ice-pwd:ourpassword',
    `a=fingerprint:sha-256 ${sha256}`,
    'a=setup:passive',
    'a=candidate:udpcandidate 1 udp 1076558079 192.0.2.7 44400 typ host',
    'a=sendrecv',
  ]) {
    expect(sdp.split('\r\n')).toContain(line);
  }
  expect(sdp).not.toMatch(/a=crypto|a=extmap/);
  expect(parameters).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: 40_001, remoteRtcpPort: 40_001 });
  expect(parameters.srtp).toBeUndefined();
  expect(one.peer).toMatchObject({ iceUfrag: 'j0OU', dtls: { role: 'client' }, stream: { ssrc: 4_104_985_717 } });
});

test('a phone that waits for DTLS is called by it, and one without a=ssrc is known by its mid', () => {
  const one = speech();
  const { sdp } = one.answer(offer({ without: /^a=ssrc/ }).replace('a=setup:actpass', 'a=setup:passive'));
  expect(sdp).toContain('a=setup:active');
  expect(sdp).toContain('a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid');
  expect(one.peer).toMatchObject({ dtls: { role: 'server' }, stream: { mid: { value: '0', extensionId: 4 } } });
});

test('other media are refused under their own mid, and our own offer has everything again', () => {
  const video = ['m=video 9 UDP/TLS/RTP/SAVPF 96', 'c=IN IP4 0.0.0.0', 'a=mid:1', 'a=rtpmap:96 VP8/90000'];
  const one = speech();
  const { sdp } = one.answer(offer({ extra: video }));
  expect(sdp).toMatch(/m=video 0 UDP\/TLS\/RTP\/SAVPF 96\r\na=inactive\r\na=mid:1\r\n/);
  one.want('sendonly');
  const again = one.offer();
  expect(again).toContain('a=setup:actpass');
  expect(again).toContain('a=sendonly');
  expect(again).toContain('m=video 0');
});

test.each([
  ['ICE', /^a=ice/, /no ICE/],
  ['rtcp-mux', /^a=rtcp-mux/, /no a=rtcp-mux/],
  ['a=fingerprint', /^a=fingerprint/, /no a=fingerprint/],
  ['a name for its stream', /^a=(ssrc|extmap)/, /neither a=ssrc/],
])('DTLS without %s is refused 488 with what is missing', (_what, without, message) => {
  try {
    speech().answer(offer({ without }));
    expect.unreachable();
  } catch (error) {
    expect(error).toMatchObject({ code: 'unprocessable', message: expect.stringMatching(message) });
  }
});

test('what is encrypted by DTLS is never answered plain, and a plain call never by DTLS', () => {
  const plain = offer({ proto: 'RTP/AVP', without: /^a=(ice|fingerprint|setup)/ });
  expect(offeredByWebRtc(plain, codecs)).toBeUndefined();
  expect(() => speech().answer(plain)).toThrow(/no encryption that we take/);
  const other = new OfferAnswer({ address: '192.0.2.1', port: 20_000, srtp: 'allow' });
  expect(() => other.answer(offer())).toThrow(/no encryption that we take/);
});

test('we offer one codec with ICE and DTLS, and take the answer', () => {
  const one = speech();
  const sdp = one.offer();
  expect(sdp).toContain('m=audio 44400 UDP/TLS/RTP/SAVPF 111 102');
  expect(sdp).toContain('a=setup:actpass');
  const answer = offer().replace('actpass', 'active').replace('111 63 9 0 8 13 110 126', '111 102');
  const parameters = one.accept(answer.replace('a=rtpmap:110', 'a=rtpmap:102'));
  expect(parameters.send).toMatchObject({ codec: 'opus', payloadType: 111, dtmf: { payloadType: 102 } });
  expect(one.peer?.dtls.role).toBe('client');
});

test('an end of ours that takes the place of another is offered with ICE and DTLS of its own, and the other side chooses who begins', () => {
  const one = speech();
  const first = one.answer(offer({ extra: ['m=video 9 UDP/TLS/RTP/SAVPF 96', 'a=mid:1'] }));
  expect(first.sdp).toContain('a=setup:passive');
  const value = sha256.replaceAll('0', '9');
  one.moveTo({
    ...bridge,
    iceParameters: { usernameFragment: 'newufrag', password: 'newpassword', iceLite: true },
    dtlsParameters: { fingerprints: [{ algorithm: 'sha-256', value }] },
    localPort: 40_007,
  });
  const sdp = one.offer();
  expect(sdp).toMatch(/a=ice-ufrag:newufrag\r\na=ice-pwd:newpassword\r\na=fingerprint:sha-256 99:91:/);
  expect(sdp).toContain('a=setup:actpass');
  expect(sdp).toMatch(/m=audio 44400 .* 111 110\r\n[\s\S]*a=mid:0\r\n[\s\S]*m=video 0 [\s\S]*a=mid:1/);
  expect(sdp).not.toContain('ourufrag');
  const answer = offer({ extra: ['m=video 0 UDP/TLS/RTP/SAVPF 96', 'a=mid:1'] }).replace('actpass', 'passive');
  expect(one.accept(answer)).toMatchObject({ remotePort: 40_007, remoteRtcpPort: 40_007 });
  expect(one.peer?.dtls.role).toBe('server');
});

test('a phone that has no candidates yet, as after ICE has begun anew, holds nobody by that', () => {
  const yet = (text: string) =>
    text.replace('m=audio 37280', 'm=audio 9').replace('IN IP4 192.0.2.2', 'IN IP4 0.0.0.0');
  const one = speech();
  expect(one.answer(yet(offer())).parameters.direction).toBe('sendrecv');
  one.offer();
  expect(one.accept(yet(offer()).replace('actpass', 'active')).direction).toBe('sendrecv');
  one.want('sendonly');
  one.offer();
  const held = yet(offer()).replace('actpass', 'active').replace('a=sendrecv', 'a=recvonly');
  expect(one.accept(held).direction).toBe('sendonly');
});
