import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { roomCapabilities as room } from '#test/support/room-capabilities.ts';
import { readSdp, type SdpFixture } from '#test/support/sdp-fixtures.ts';
import { chooseSent } from './codecs.ts';
import { parseSdp, type SdpSection } from './sdp-parse.ts';
import { answerDtls, orderRids, readLayout, readReceivedTrack, refusalOf, sends } from './translate.ts';

function tracksOf(text: string, isTwoWay = false) {
  const description = parseSdp(text);
  return description.sections
    .filter((section) => sends(section) && section.kind !== 'application')
    .map((section) => readReceivedTrack(section, room, { originUser: description.originUser, isTwoWay }));
}

function trackOf(name: SdpFixture, kind: 'audio' | 'video', change: (text: string) => string = (text) => text) {
  const track = tracksOf(change(readSdp(name))).find((candidate) => candidate.kind === kind);
  if (!track) throw new Error(`no ${kind}`);
  return track;
}

/** Puts a payload type first in the m-line, as setCodecPreferences() does. */
const preferring = (payloadType: number) => (text: string) =>
  text.replace(
    /(m=video \d+ \S+)( .*)/,
    (_, start, formats: string) => `${start} ${payloadType}${formats.replace(` ${payloadType} `, ' ')}`,
  );

test.each<[SdpFixture, 'audio' | 'video', string, number, number | undefined]>([
  ['chromium-send', 'audio', 'audio/opus', 111, undefined],
  ['chromium-send', 'video', 'video/VP8', 96, 97],
  ['chromium-sendrecv-data', 'video', 'video/VP8', 96, 97],
  ['firefox-simulcast', 'video', 'video/VP8', 120, 124],
  ['obs', 'audio', 'audio/opus', 111, undefined],
  ['obs', 'video', 'video/H264', 96, undefined],
  ['ffmpeg-whip', 'video', 'video/H264', 106, undefined],
  ['gstreamer-send', 'audio', 'audio/opus', 97, undefined],
  ['gstreamer-send', 'video', 'video/VP8', 96, undefined],
])('%s sends %s as %s under its own payload types', (name, kind, mimeType, payloadType, rtxPayloadType) => {
  const [main, rtx] = trackOf(name, kind).rtpParameters.codecs;
  expect(main).toMatchObject({ mimeType, payloadType });
  expect(rtx?.payloadType).toBe(rtxPayloadType);
  if (rtx) expect(rtx.parameters).toEqual({ apt: payloadType });
});

test.each([
  ['constrained baseline is asked for where H264 comes first', 102, 108],
  ['even from packetization mode 0', 104, 108],
  ['VP9 by its profile', 98, 98],
  ['AV1', 45, 45],
])('%s', (_, preferred, chosen) => {
  expect(trackOf('chromium-send', 'video', preferring(preferred)).match.codec.payloadType).toBe(chosen);
});

test('H264 of any profile enters the room as constrained baseline, and is answered in the words of the peer', () => {
  const { match, rtpParameters } = trackOf('ffmpeg-whip', 'video');
  expect(rtpParameters.codecs[0]?.parameters).toMatchObject({ 'profile-level-id': '42e01f', 'packetization-mode': 1 });
  expect(match.codec.fmtp).toContain('profile-level-id=64001f');
});

test('H264 in interleaved mode has no place in the room', () => {
  const change = (text: string) => text.replace('packetization-mode=1', 'packetization-mode=2');
  expect(() => trackOf('ffmpeg-whip', 'video', change)).toThrow(
    expect.objectContaining({ code: 'no_common_codec', message: expect.stringContaining('H264; the room takes VP8') }),
  );
});

test('only header extensions that the room knows are kept, under the ids of the peer', () => {
  expect(trackOf('chromium-send', 'audio').rtpParameters.headerExtensions).toEqual([
    { id: 1, uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level' },
    { id: 2, uri: 'http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time' },
    { id: 3, uri: 'http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01' },
    { id: 4, uri: 'urn:ietf:params:rtp-hdrext:sdes:mid' },
  ]);
});

test.each<[SdpFixture, number, string[]]>([
  // Chromium has 4 for the mid, where the SFU writes abs-send-time; its audio level at 1 is worth a misread number.
  [
    'chromium-sendrecv-data',
    0,
    ['1 ssrc-audio-level', '2 abs-send-time', '3 draft-holmer-rmcat-transport-wide-cc-extensions-01'],
  ],
  [
    'chromium-sendrecv-data',
    1,
    [
      '14 toffset',
      '2 abs-send-time',
      '13 video-orientation',
      '3 draft-holmer-rmcat-transport-wide-cc-extensions-01',
      '5 playout-delay',
      '10 rtp-stream-id',
      '11 repaired-rtp-stream-id',
    ],
  ],
  // Firefox's 3 for the mid is one that the SFU never writes.
  ['firefox-simulcast', 0, ['1 ssrc-audio-level', '3 mid']],
])('of %s, m-line %i, a connection that goes both ways keeps what cannot be misread', (name, index, expected) => {
  const { headerExtensions = [] } = tracksOf(readSdp(name), true)[index]?.rtpParameters ?? {};
  const shortNames = headerExtensions.map(({ id, uri }) => `${id} ${uri.split(/[/:]/).at(-1)}`);
  expect(shortNames).toEqual(expected);
});

test('simulcast without the mid in its packets is known by its rids alone', () => {
  const video = tracksOf(readSdp('chromium-simulcast'), true)[0];
  expect(video?.rtpParameters).toMatchObject({ mid: undefined, encodings: [{ rid: 'q' }, { rid: 'h' }, { rid: 'f' }] });
});

test('one stream has its SSRC and that of its retransmissions', () => {
  expect(trackOf('chromium-send', 'video').rtpParameters).toMatchObject({
    mid: '1',
    encodings: [{ ssrc: 1007077088, rtx: { ssrc: 2949949624 } }],
    rtcp: { cname: 'WQMrBCRvs2NwEThu', reducedSize: true },
  });
});

test('without a=ssrc a stream is known by its mid', () => {
  const noSsrc = (text: string) => text.replaceAll(/a=ssrc.*\r\n/g, '');
  expect(trackOf('chromium-send', 'video', noSsrc).rtpParameters.encodings).toEqual([{}]);
  expect(() => trackOf('gstreamer-send', 'video', noSsrc)).toThrow(
    expect.objectContaining({ code: 'unprocessable', message: expect.stringContaining('cannot be told apart') }),
  );
});

test.each<[SdpFixture, string[]]>([
  ['chromium-simulcast', ['q', 'h', 'f']],
  ['firefox-simulcast', ['l', 'm', 'h']],
  ['obs-simulcast', ['2', '1', '0']],
])('simulcast of %s is put in order, smallest first', (name, rids) => {
  expect(trackOf(name, 'video').rtpParameters.encodings?.map(({ rid }) => rid)).toEqual(rids);
});

test('simulcast by SSRC groups, as munged SDP has it, keeps its order and retransmissions', () => {
  const munge = (text: string) =>
    `${text.replace(/a=ssrc-group:FID.*$/s, '')}${[
      'a=ssrc-group:SIM 11 12',
      'a=ssrc-group:FID 11 21',
      'a=ssrc-group:FID 12 22',
      ...[11, 12, 21, 22].map((ssrc) => `a=ssrc:${ssrc} cname:x`),
    ].join('\r\n')}\r\n`;
  expect(trackOf('chromium-send', 'video', munge).rtpParameters.encodings).toMatchObject([
    { ssrc: 11, rtx: { ssrc: 21 } },
    { ssrc: 12, rtx: { ssrc: 22 } },
  ]);
});

test.each<[string[], string, string[]]>([
  [['f', 'h', 'q'], '-', ['q', 'h', 'f']],
  [['high', 'mid', 'low'], '-', ['low', 'mid', 'high']],
  [['r0', 'r1', 'r2'], '-', ['r0', 'r1', 'r2']],
  [['0', '1', '2'], '-', ['0', '1', '2']],
  [['0', '1', '2'], 'rtc', ['2', '1', '0']],
])('rids %j of %s are %j from the smallest', (rids, originUser, expected) => {
  const ordered = orderRids(
    rids.map((id) => ({ id, restrictions: {} })),
    originUser,
  );
  expect(ordered.map(({ id }) => id)).toEqual(expected);
});

const layoutOf = (
  name: SdpFixture,
  missing: 'leave' | 'invent',
  keep: (section: SdpSection) => boolean = () => true,
) => {
  const description = parseSdp(readSdp(name));
  const { codecs } = readLayout({ ...description, sections: description.sections.filter(keep) }, room, missing);
  return codecs.map(({ mimeType, payloadType, parameters = {} }) =>
    [mimeType, payloadType, parameters['profile-level-id'] ?? parameters['profile-id']]
      .filter((x) => x !== undefined)
      .join(' '),
  );
};

test('a layout has each codec of the room once, under the numbers of the receiver', () => {
  expect(layoutOf('chromium-receive', 'leave')).toEqual([
    'audio/opus 111',
    'audio/PCMU 0',
    'audio/PCMA 8',
    'audio/G722 9',
    'video/VP8 96',
    'video/VP9 98 0',
    'video/VP9 100 2',
    'video/H264 108 42e01f',
    'video/H264 114 42e01f',
    'video/H264 116 4d0032',
    'video/AV1 45',
  ]);
  expect(layoutOf('safari-receive', 'leave').filter((codec) => codec.includes('H264'))).toEqual([
    'video/H264 98 42e01f',
  ]);
});

test('a receiver of High profile alone gets constrained baseline under its number', () => {
  const section = parseSdp(readSdp('ffmpeg-whip')).sections[1];
  if (!section) throw new Error('no video');
  expect(
    chooseSent(section, room.codecs ?? []).map(({ codec, roomCodec }) => [
      codec.payloadType,
      roomCodec.parameters?.['profile-level-id'],
    ]),
  ).toEqual([[106, '42e01f']]);
});

test('kinds that were not offered get numbers that nothing else has', () => {
  const isAudio = ({ kind }: SdpSection) => kind === 'audio';
  expect(layoutOf('chromium-receive', 'leave', isAudio).some((codec) => codec.startsWith('video'))).toBe(false);
  const invented = layoutOf('chromium-receive', 'invent', isAudio);
  expect(invented.some((codec) => codec.startsWith('video/VP8'))).toBe(true);
  const numbers = invented.map((codec) => codec.split(' ')[1]);
  const ofTelephoneEvents = ['63', '13', '110', '126'];
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(numbers.filter((number) => number && ofTelephoneEvents.includes(number))).toEqual([]);
});

test.each<[string, (text: string) => string, RegExp]>([
  ['data channels', (text) => text.replace('m=video', 'm=application'), /data channels/],
  ['an m-line of something else', (text) => text.replace('m=video', 'm=text'), /neither audio nor video/],
  ['RTP in the clear', (text) => text.replaceAll('UDP/TLS/RTP/SAVPF', 'RTP/AVP'), /not RTP over DTLS/],
  ['an m-line outside the bundle', (text) => text.replace('BUNDLE 0 1', 'BUNDLE 0'), /BUNDLE/],
  ['no bundle at all', (text) => text.replace('a=group:BUNDLE 0 1\r\n', ''), /BUNDLE/],
  ['RTCP on a port of its own', (text) => text.replaceAll('a=rtcp-mux\r\n', ''), /rtcp-mux/],
])('%s is refused with the reason', (_, change, reason) => {
  const section = parseSdp(change(readSdp('chromium-send'))).sections[1];
  const error = section && refusalOf(section);
  expect(error).toBeInstanceOf(GatewayError);
  expect(error?.message).toMatch(reason);
});

test.each([
  ['actpass', 'passive', 'client'],
  ['active', 'passive', 'client'],
  ['passive', 'active', 'server'],
] as const)('a peer that offers DTLS setup %s is answered %s', (offered, setup, role) => {
  const description = parseSdp(readSdp('chromium-send').replaceAll('a=setup:actpass', `a=setup:${offered}`));
  expect(answerDtls(description)).toMatchObject({ setup, dtlsParameters: { role } });
});
