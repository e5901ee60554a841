import { expect, test } from 'vitest';
import { roomCapabilities as room } from '#test/support/room-capabilities.ts';
import { readSdp, type SdpFixture, sdpFixtures } from '#test/support/sdp-fixtures.ts';
import { chooseSent } from './codecs.ts';
import { parseSdp } from './sdp-parse.ts';
import {
  announcedStream,
  type LocalSection,
  type LocalTransport,
  offeredCodec,
  receivingSection,
  rejectedSection,
  sendingSection,
  sentCodec,
  writeSdp,
} from './sdp-write.ts';
import { isMedia, readReceivedTrack, refusalOf, sends } from './translate.ts';

const transport: LocalTransport = {
  iceParameters: { usernameFragment: 'our-ufrag', password: 'our-password-of-32-characters-or', iceLite: true },
  iceCandidates: [
    {
      foundation: 'udpcandidate',
      priority: 1076302079,
      ip: '127.0.0.1',
      address: '127.0.0.1',
      protocol: 'udp',
      port: 44400,
      type: 'host',
    },
    {
      foundation: 'tcpcandidate',
      priority: 1076276479,
      ip: '127.0.0.1',
      address: 'media.example.org',
      protocol: 'tcp',
      port: 44400,
      type: 'host',
      tcpType: 'passive',
    },
  ],
  dtlsParameters: {
    fingerprints: [
      { algorithm: 'sha-1', value: 'AA:BB' },
      { algorithm: 'sha-256', value: Array.from({ length: 32 }, () => 'AB').join(':') },
    ],
  },
  setup: 'passive',
};

const write = (sections: readonly LocalSection[]): string =>
  writeSdp({ sessionId: 7, version: 2, sections, transport });

/** What WHIP does: takes what is sent and rejects the rest. */
function publishAnswer(name: SdpFixture): string {
  const offer = parseSdp(readSdp(name));
  return write(
    offer.sections.map((section) =>
      refusalOf(section) || !sends(section)
        ? rejectedSection(section)
        : receivingSection(readReceivedTrack(section, room, { originUser: offer.originUser, isTwoWay: false })),
    ),
  );
}

/** What WHEP does: sends on every m-line. */
function playAnswer(name: SdpFixture): string {
  const offer = parseSdp(readSdp(name));
  return write(
    offer.sections.map((section) => {
      if (!isMedia(section)) return rejectedSection(section);
      const codecs = chooseSent(section, room.codecs ?? []).map(sentCodec);
      const stream = { streamId: 'demo', trackId: section.kind, cname: undefined, ssrc: undefined };
      return sendingSection(section, section.kind, codecs, stream);
    }),
  );
}

test('an answer to a browser that publishes says all that it needs, line by line', () => {
  const [video = ''] = publishAnswer('chromium-simulcast').split('m=audio');
  expect(video.trimEnd().split('\r\n')).toEqual([
    'v=0',
    'o=switchyard 7 2 IN IP4 127.0.0.1',
    's=-',
    't=0 0',
    'a=ice-lite',
    'a=msid-semantic: WMS *',
    'a=group:BUNDLE 0 1',
    'm=video 9 UDP/TLS/RTP/SAVPF 96 97',
    'c=IN IP4 0.0.0.0',
    'a=rtpmap:96 VP8/90000',
    'a=rtpmap:97 rtx/90000',
    'a=fmtp:96 x-google-start-bitrate=1000',
    'a=fmtp:97 apt=96',
    'a=rtcp-fb:96 goog-remb',
    'a=rtcp-fb:96 transport-cc',
    'a=rtcp-fb:96 ccm fir',
    'a=rtcp-fb:96 nack',
    'a=rtcp-fb:96 nack pli',
    ...[
      'a=extmap:1 urn:ietf:params:rtp-hdrext:toffset',
      'a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time',
      'a=extmap:3 urn:3gpp:video-orientation',
      'a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01',
      'a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay',
      'a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid',
      'a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id',
      'a=extmap:11 urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id',
      'a=extmap:13 https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension',
    ],
    'a=setup:passive',
    'a=mid:0',
    'a=recvonly',
    'a=ice-ufrag:our-ufrag',
    'a=ice-pwd:our-password-of-32-characters-or',
    'a=fingerprint:sha-256 AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB:AB',
    'a=candidate:udpcandidate 1 udp 1076302079 127.0.0.1 44400 typ host',
    'a=candidate:tcpcandidate 1 tcp 1076276479 media.example.org 44400 typ host tcptype passive',
    'a=end-of-candidates',
    'a=rtcp-mux',
    'a=rtcp-rsize',
    'a=rid:q recv',
    'a=rid:h recv',
    'a=rid:f recv',
    'a=simulcast:recv q;h;f',
  ]);
});

test.each(sdpFixtures)('an answer to %s is SDP again, with every m-line of the offer in its place', (name) => {
  const offer = parseSdp(readSdp(name));
  for (const text of [publishAnswerOr(name), playAnswer(name)]) {
    const answer = parseSdp(text);
    expect(answer.sections.map(({ mid, kind, protocol }) => ({ mid, kind, protocol }))).toEqual(
      offer.sections.map(({ mid, kind, protocol }) => ({ mid, kind, protocol })),
    );
    expect(answer.sections.filter(({ isRejected }) => !isRejected).every(({ isBundled }) => isBundled)).toBe(true);
  }
});

/** Offers that only receive cannot be answered as publishers. */
const publishAnswerOr = (name: SdpFixture): string =>
  name.endsWith('receive') ? playAnswer(name) : publishAnswer(name);

test('what is not taken has port 0, its own formats, and no place in the bundle', () => {
  const answer = publishAnswer('chromium-sendrecv-data');
  expect(answer).toContain('m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n');
  expect(answer).toContain('a=group:BUNDLE 0 1\r\n');
});

test('simulcast keeps the order of the offer, whatever order the room needs', () => {
  expect(publishAnswer('firefox-simulcast')).toContain('a=simulcast:recv h;m;l\r\n');
});

test('a player gets its own payload types, no header extensions and no SSRC that would have to stay', () => {
  const answer = playAnswer('chromium-receive');
  expect(answer).toContain('m=video 9 UDP/TLS/RTP/SAVPF 96 98 100 108 114 116 45\r\n');
  expect(answer).toContain('a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n');
  expect(answer).toContain('a=msid:demo video\r\n');
  expect(answer).toContain('a=sendonly\r\n');
  expect(answer).not.toMatch(/extmap|a=ssrc|transport-cc|goog-remb|x-google|rtx/);
  expect(answer).toMatch(/a=rtcp-fb:96 nack pli/);
});

test('candidates stand in the first m-line in use', () => {
  const offer = parseSdp(readSdp('chromium-send'));
  const [audio, video] = offer.sections;
  if (!audio || !video) throw new Error('two m-lines expected');
  const answer = write([
    rejectedSection(audio),
    receivingSection(readReceivedTrack(video, room, { originUser: '-', isTwoWay: false })),
  ]);
  expect(answer.indexOf('a=candidate')).toBeGreaterThan(answer.indexOf('m=video'));
  expect(answer.match(/a=end-of-candidates/g)).toHaveLength(1);
});

test('an offer of ours names SSRC, cname and msid of what it brings', () => {
  const vp8 = room.codecs?.find(({ mimeType }) => mimeType === 'video/VP8');
  if (!vp8) throw new Error('no VP8');
  const text = write([
    {
      isRejected: false,
      mid: 's1',
      kind: 'video',
      protocol: 'UDP/TLS/RTP/SAVPF',
      direction: 'sendonly',
      codecs: [offeredCodec(vp8, 120)],
      extensions: [],
      hasReducedRtcp: true,
      receivedRids: [],
      stream: announcedStream('PA_1', 'TR_1', { codecs: [], encodings: [{ ssrc: 99 }], rtcp: { cname: 'them' } }),
    },
  ]);
  expect(text).toContain('a=ssrc:99 cname:them\r\na=ssrc:99 msid:PA_1 TR_1\r\n');
  expect(parseSdp(text).sections[0]).toMatchObject({
    direction: 'sendonly',
    codecs: [{ payloadType: 120, name: 'VP8', fmtp: undefined }],
  });
});
