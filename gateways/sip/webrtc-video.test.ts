import { describe, expect, test } from 'vitest';
import type { IceCandidate } from '#core/rtp.ts';
import { OfferAnswer } from './offer-answer.ts';
import { VideoSpeech, type VideoSpeechOptions } from './video-speech.ts';

const sha256 = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0').toUpperCase()).join(':');
const candidate: IceCandidate = {
  ...{ foundation: 'udpcandidate', priority: 1, ip: '192.0.2.7', address: '192.0.2.7' },
  ...{ protocol: 'udp', port: 44_400, type: 'host' },
};
const end = {
  iceParameters: { usernameFragment: 'ourufrag', password: 'ourpassword', iceLite: true },
  iceCandidates: [candidate],
  dtlsParameters: { fingerprints: [{ algorithm: 'sha-256', value: sha256 }] },
  localAddress: '127.0.0.1',
} as const;

function speech(change: Partial<VideoSpeechOptions> = {}): OfferAnswer {
  const webRtc = { ...end, localPort: 40_001 };
  const one = new OfferAnswer({ address: '192.0.2.1', port: 20_000, srtp: 'allow', webRtc });
  one.video = new VideoSpeech({
    ...{ port: 20_002, srtp: 'allow', takes: ['h264', 'vp8'], gives: ['h264', 'vp8'] },
    ...{ maxBitrateBps: 2_000_000, maxHeight: 720, webRtc: { ...end, localPort: 40_003 }, ...change },
  });
  return one;
}

const keys = [
  ...['c=IN IP4 0.0.0.0', 'a=ice-ufrag:j0OU', 'a=ice-pwd:c+9WkxtOgDtli/Gu8+ET/0E0'],
  ...[`a=fingerprint:sha-256 ${sha256}`, 'a=setup:actpass', 'a=rtcp-mux'],
];
const voice = ['m=audio 9 UDP/TLS/RTP/SAVPF 111', ...keys, 'a=mid:0', 'a=rtpmap:111 opus/48000/2', 'a=ssrc:41 cname:9'];
/** Of a browser, shortened; its second SSRC is for retransmissions. */
const camera = [
  ...['m=video 9 UDP/TLS/RTP/SAVPF 96 97 103', ...keys, 'a=mid:1', 'a=sendrecv'],
  ...['a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid', 'a=rtpmap:96 VP8/90000', 'a=rtpmap:97 rtx/90000'],
  ...['a=rtpmap:103 H264/90000', 'a=fmtp:103 profile-level-id=42001f;packetization-mode=1'],
  ...['a=rtcp-fb:96 nack', 'a=rtcp-fb:96 nack pli', 'a=rtcp-fb:96 ccm fir'],
  ...['a=ssrc-group:FID 42 43', 'a=ssrc:42 cname:9', 'a=ssrc:43 cname:9'],
];
const sdp = (...lines: readonly string[]) =>
  ['v=0', 'o=- 77 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', ...lines].join('\r\n');
const linesOf = (text: string, kind: 'audio' | 'video'): string[] =>
  (text.split(/^(?=m=)/m).find((part) => part.startsWith(`m=${kind}`)) ?? '').split('\r\n');

describe('a picture beside the voice of a WebRTC phone', () => {
  test('is answered over the same ICE and DTLS, and its way is told', () => {
    const one = speech();
    const { sdp: answer } = one.answer(sdp(...voice, ...camera));
    expect(answer).toContain('a=group:BUNDLE 0 1\r\n');
    const lines = linesOf(answer, 'video');
    for (const line of [
      'm=video 44400 UDP/TLS/RTP/SAVPF 96',
      'a=mid:1',
      'a=rtcp-mux',
      'a=ice-ufrag:ourufrag',
      'a=setup:passive',
      'a=rtpmap:96 VP8/90000',
      'a=msid:room view',
      'a=sendrecv',
    ]) {
      expect(lines).toContain(line);
    }
    expect(answer).not.toMatch(/a=crypto|bundle-only|rtx/);
    expect(one.video?.agreed).toMatchObject({
      parameters: {
        ...{ remoteAddress: '127.0.0.1', remotePort: 40_003, remoteRtcpPort: 40_003, direction: 'sendrecv' },
        feedback: { pli: true, fir: true, nack: true },
      },
      bridged: { format: { mimeType: 'video/VP8', payloadType: 96, clockRateHz: 90_000 }, stream: { ssrc: 42 } },
    });
    expect(one.video?.agreed?.parameters.srtp).toBeUndefined();
  });

  test('in H264 is bridged by its profile and mode; without a=ssrc it is known by its mid', () => {
    const one = speech({ takes: ['h264'], gives: ['h264'] });
    const { sdp: answer } = one.answer(sdp(...voice, ...camera.filter((line) => !line.startsWith('a=ssrc'))));
    expect(linesOf(answer, 'video')).toContain('a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid');
    expect(one.video?.agreed?.bridged).toEqual({
      format: {
        ...{ mimeType: 'video/H264', payloadType: 103, clockRateHz: 90_000 },
        parameters: { 'packetization-mode': 1, 'profile-level-id': '42001f', 'level-asymmetry-allowed': 1 },
      },
      stream: { mid: { value: '1', extensionId: 4 } },
    });
  });

  test.each([
    ['that is not bundled with it', (text: string) => text.replace('BUNDLE 0 1', 'BUNDLE 0')],
    ['without rtcp-mux', (text: string) => text.replace(/(m=video[\s\S]*)a=rtcp-mux\r\n/, '$1')],
    ['with keys in the SDP', (text: string) => text.replace('m=video 9 UDP/TLS/RTP/SAVPF', 'm=video 9 RTP/AVP')],
  ])('%s is refused, and the voice is not', (_what, change) => {
    const one = speech();
    const { sdp: answer } = one.answer(change(sdp(...voice, ...camera)));
    expect(answer).toMatch(/^a=group:BUNDLE 0\r$/m);
    expect(linesOf(answer, 'video').slice(0, 3)).toEqual([
      expect.stringMatching(/^m=video 0 /),
      'a=inactive',
      'a=mid:1',
    ]);
    expect(linesOf(answer, 'audio')[0]).toBe('m=audio 44400 UDP/TLS/RTP/SAVPF 111');
    expect(one.video?.agreed).toBeUndefined();
  });
});

describe('our offer of a picture to a WebRTC phone', () => {
  const answered = (video: readonly string[]) =>
    sdp(...voice, ...video).replaceAll('a=setup:actpass', 'a=setup:active');
  const watching = camera.map((line) => (line === 'a=sendrecv' ? 'a=recvonly' : line.replaceAll(/\b97\b/g, '96')));

  test('is only for who bundles, has a mid of its own, and is named by its port once it is agreed', () => {
    const one = speech();
    const offer = one.offer();
    expect(offer).toContain('a=group:BUNDLE 0 1\r\n');
    expect(linesOf(offer, 'video')).toEqual(expect.arrayContaining(['a=mid:1', 'a=bundle-only', 'a=setup:actpass']));
    expect(linesOf(offer, 'video')[0]).toBe('m=video 0 UDP/TLS/RTP/SAVPF 97 98 99');
    const chosen = watching.map((line) => line.replace('SAVPF 96 96 103', 'SAVPF 99').replace(':96 VP8', ':99 VP8'));
    one.accept(answered(chosen));
    expect(one.video?.agreed).toMatchObject({
      parameters: { direction: 'sendonly', send: { codec: 'vp8', payloadType: 99 } },
      bridged: { format: { mimeType: 'video/VP8', payloadType: 99 } },
    });
    const again = linesOf(one.offer(), 'video');
    expect(again[0]).toBe('m=video 44400 UDP/TLS/RTP/SAVPF 99');
    expect(again).not.toContain('a=bundle-only');
  });

  test('that is answered under another number, or refused, leaves a voice alone', () => {
    const one = speech();
    one.offer();
    one.accept(answered(watching.map((line) => line.replace('SAVPF 96 96 103', 'SAVPF 96'))));
    expect(one.video?.agreed).toBeUndefined();
    one.offer();
    const { direction } = one.accept(answered(['m=video 0 UDP/TLS/RTP/SAVPF 97', 'a=mid:1']));
    expect([direction, one.video?.agreed]).toEqual(['sendrecv', undefined]);
  });
});

describe('a phone that is asked over to another SFU worker', () => {
  const other = { ...end, iceParameters: { usernameFragment: 'newufrag', password: 'newpassword', iceLite: true } };
  const moved = (change: (one: OfferAnswer) => void = () => undefined) => {
    const one = speech();
    one.answer(sdp(...voice, ...camera));
    one.moveTo({ ...other, localPort: 40_011 });
    one.video?.moveTo({ localAddress: '127.0.0.1', localPort: 40_013 });
    change(one);
    return one;
  };

  test('is offered its picture over the new ICE and DTLS, by the number that it has', () => {
    const one = moved();
    const lines = linesOf(one.offer(), 'video');
    expect(lines[0]).toBe('m=video 44400 UDP/TLS/RTP/SAVPF 96');
    for (const line of ['a=ice-ufrag:newufrag', 'a=setup:actpass', 'a=mid:1', 'a=sendrecv'])
      expect(lines).toContain(line);
    one.accept(sdp(...voice, ...camera).replaceAll('a=setup:actpass', 'a=setup:active'));
    expect(one.video?.agreed?.parameters).toMatchObject({ remotePort: 40_013, direction: 'sendrecv' });
  });

  test('is offered what was agreed where it holds us, and no picture where there is no way for it', () => {
    const held = moved((one) => one.answer(sdp(...voice, ...camera).replace('a=sendrecv', 'a=sendonly')));
    expect(linesOf(held.offer('recvonly'), 'video')).toContain('a=recvonly');
    const voiceAlone = moved((one) => {
      one.video = undefined;
    }).offer();
    expect(linesOf(voiceAlone, 'video').slice(0, 2)).toEqual([expect.stringMatching(/^m=video 0 /), 'a=inactive']);
    expect(voiceAlone).toMatch(/^a=group:BUNDLE 0\r$/m);
  });
});
