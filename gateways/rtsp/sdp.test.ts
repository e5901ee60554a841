import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { aggregateControl, buildDescription, parseTracks, resolveControl } from './sdp.ts';

const camera = `v=0
o=- 1 1 IN IP4 192.0.2.5
s=Camera
c=IN IP4 0.0.0.0
t=0 0
a=control:rtsp://192.0.2.5/stream/
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1; profile-level-id=640028; sprop-parameter-sets=Z2QAKKwa0A8ARPy4CIAAAAMAgAAADwHjBlQ=,aO48sA==
a=rtcp-fb:96 nack pli
a=control:trackID=1
m=audio 0 RTP/AVP 97
a=rtpmap:97 MPEG4-GENERIC/44100/2
a=fmtp:97 streamtype=5;profile-level-id=1;mode=AAC-hbr;config=0012;sizeLength=13;indexLength=3;indexDeltaLength=3
a=control:rtsp://192.0.2.5/stream/trackID=2
m=application 0 RTP/AVP 107
a=rtpmap:107 vnd.onvif.metadata/90000
`;

test('a camera: H264 with its parameter sets, AAC with its configuration, ONVIF metadata left out', () => {
  const [video, audio, ...more] = parseTracks(camera, 'rtsp://192.0.2.5/other');
  expect(more).toEqual([]);
  expect(video).toMatchObject({ control: 'rtsp://192.0.2.5/stream/trackID=1', takesPli: true });
  expect(video?.stream).toMatchObject({ id: 0, kind: 'video', codec: 'h264', framing: { kind: 'rtp' } });
  expect(video?.stream.rtp.formatParameters['sprop-parameter-sets']).toBe(
    'Z2QAKKwa0A8ARPy4CIAAAAMAgAAADwHjBlQ=,aO48sA==',
  );
  expect(audio).toMatchObject({ control: 'rtsp://192.0.2.5/stream/trackID=2', takesPli: false });
  expect(audio?.stream).toMatchObject({ id: 1, codec: 'aac', sampleRateHz: 44_100, channels: 2 });
  expect(audio?.stream.config).toEqual(Buffer.from('0012', 'hex'));
  expect(aggregateControl(camera, 'rtsp://192.0.2.5/other')).toBe('rtsp://192.0.2.5/stream/');
});

test.each([
  ['m=audio 0 RTP/AVP 0', { codec: 'pcmu', sampleRateHz: 8_000, channels: 1 }],
  ['m=audio 0 RTP/AVP 8', { codec: 'pcma' }],
  ['m=audio 0 RTP/AVP 9', { codec: 'g722', sampleRateHz: 16_000 }],
  ['m=audio 0 RTP/AVP 10', { codec: 'l16', sampleRateHz: 44_100, channels: 2 }],
  ['m=video 0 RTP/AVP 26', { codec: 'mjpeg' }],
  ['m=audio 0 RTP/AVP 97\na=rtpmap:97 G726-32/8000', { codec: 'g726' }],
  ['m=audio 0 RTP/AVP 97\na=rtpmap:97 opus/48000/2', { codec: 'opus', channels: 2 }],
  ['m=audio 0 RTP/AVP 97\na=rtpmap:97 L16/16000', { codec: 'l16', sampleRateHz: 16_000 }],
  ['m=video 0 RTP/AVP 97\na=rtpmap:97 H265/90000', { codec: 'h265' }],
  [
    'm=video 0 RTP/AVPF 97\na=rtpmap:97 MP4V-ES/90000\na=fmtp:97 config=000001b0',
    { codec: 'mpeg4', config: Buffer.from('000001b0', 'hex') },
  ],
])('%s', (lines, expected) => {
  expect(parseTracks(`v=0\n${lines}\n`, 'rtsp://a/b')[0]?.stream).toMatchObject(expected);
});

test.each([
  [undefined, 'rtsp://a/b'],
  ['*', 'rtsp://a/b'],
  ['track1', 'rtsp://a/b/track1'],
  ['/track1', 'rtsp://a/b/track1'],
  ['rtsp://c/d', 'rtsp://c/d'],
])('control %s', (control, expected) => {
  expect(resolveControl(control, 'rtsp://a/b')).toBe(expected);
});

describe('hostile descriptions', () => {
  test('a hundred m-lines give sixteen tracks at most', () => {
    expect(parseTracks(`v=0\n${'m=audio 0 RTP/AVP 0\n'.repeat(100)}`, 'x')).toHaveLength(16);
  });

  test('any text gives tracks or a GatewayError', () => {
    const line = fc.oneof(
      fc.string(),
      fc.constantFrom(...camera.split('\n')),
      fc.string().map((text) => `a=rtpmap:${text}`),
      fc.string().map((text) => `m=${text}`),
      fc.string().map((text) => `a=fmtp:96 ${text}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        try {
          parseTracks(lines.join('\n'), 'rtsp://a/b');
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
    );
  });
});

test('what is described is read back', () => {
  const tracks = parseTracks(camera, 'rtsp://a/b').map(({ stream }) => stream);
  const sdp = buildDescription({ name: 'a\r\nb', tracks, ipVersion: 4, sessionId: 7 });
  const again = parseTracks(sdp, 'rtsp://gw/room');
  expect(again.map(({ control }) => control)).toEqual(['rtsp://gw/room/trackID=0', 'rtsp://gw/room/trackID=1']);
  expect(again.map(({ stream }) => stream)).toEqual(tracks);
});
