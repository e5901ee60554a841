import { describe, expect, test } from 'vitest';
import { OfferAnswer } from './offer-answer.ts';
import { parseSdp } from './sdp.ts';
import { videoFormatsOf } from './video-formats.ts';
import { VideoSpeech, type VideoSpeechOptions } from './video-speech.ts';

const policy: VideoSpeechOptions = {
  ...{ port: 20_002, srtp: 'allow', takes: ['h264', 'vp8'], gives: ['h264', 'vp8'] },
  ...{ maxBitrateBps: 2_000_000, maxHeight: 720 },
};
const make = (change: Partial<VideoSpeechOptions> = {}) => {
  const speech = new OfferAnswer({ address: '192.0.2.1', port: 20_000, srtp: 'allow', sessionId: '7' });
  speech.video = new VideoSpeech({ ...policy, ...change });
  return speech;
};
const sdp = (...media: string[]) =>
  [
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.9',
    's=-',
    'c=IN IP4 192.0.2.9',
    't=0 0',
    'm=audio 4000 RTP/AVP 0',
    ...media,
    '',
  ].join('\r\n');
const h264 = (fmtp: string, ...more: string[]) =>
  sdp('m=video 4002 RTP/AVP 97', 'a=rtpmap:97 H264/90000', ...(fmtp ? [`a=fmtp:97 ${fmtp}`] : []), ...more);
const limitsOf = (offer: string) => {
  const speech = make();
  speech.answer(offer);
  return speech.video?.agreed?.limits;
};
const key = Buffer.alloc(30, 7).toString('base64');

describe('video that is offered', () => {
  test('is answered by its number, profile and mode', () => {
    const speech = make();
    const { sdp: answer } = speech.answer(
      h264('profile-level-id=42E01F;packetization-mode=1;level-asymmetry-allowed=1'),
    );
    expect(answer).toContain('m=video 20002 RTP/AVP 97\r\n');
    expect(answer).toContain('a=fmtp:97 profile-level-id=42e01f;packetization-mode=1;level-asymmetry-allowed=1\r\n');
    expect(speech.video?.agreed?.parameters).toMatchObject({
      ...{ remoteAddress: '192.0.2.9', remotePort: 4002, direction: 'sendrecv' },
      send: { codec: 'h264', payloadType: 97, packetizationMode: 1 },
      feedback: { pli: false, fir: false, nack: false },
    });
  });

  test('in both modes is taken in mode 1, and without a word in mode 0', () => {
    const speech = make();
    const lines = ['a=rtpmap:97 H264/90000', 'a=rtpmap:98 H264/90000', 'a=fmtp:97 profile-level-id=42801f'];
    speech.answer(
      sdp('m=video 4002 RTP/AVP 97 98', ...lines, 'a=fmtp:98 profile-level-id=42801f;packetization-mode=1'),
    );
    expect(speech.video?.agreed?.parameters.send).toMatchObject({ payloadType: 98, packetizationMode: 1 });
    speech.answer(h264('profile-level-id=42801f'));
    expect(speech.video?.agreed?.parameters.send).toMatchObject({ payloadType: 97, packetizationMode: 0 });
  });

  test.each([
    ['of a codec that nobody here speaks', ['m=video 4002 RTP/AVP 34', 'a=rtpmap:34 H263/90000']],
    ['interleaved', ['m=video 4002 RTP/AVP 97', 'a=rtpmap:97 H264/90000', 'a=fmtp:97 packetization-mode=2']],
    ['with keys that are none', ['m=video 4002 RTP/SAVP 97', 'a=rtpmap:97 VP8/90000']],
    ['turned off', ['m=video 0 RTP/AVP 97', 'a=rtpmap:97 VP8/90000']],
  ])('%s is refused, and the voice is not', (_what, lines) => {
    const speech = make();
    const { sdp: answer, parameters } = speech.answer(sdp(...lines));
    expect(answer).toMatch(/m=video 0 /);
    expect(parameters.direction).toBe('sendrecv');
    expect(speech.video?.agreed).toBeUndefined();
  });

  test('of a second camera is refused beside the first', () => {
    const { sdp: answer } = make().answer(
      sdp('m=video 4002 RTP/AVP 97', 'a=rtpmap:97 VP8/90000', 'm=video 4004 RTP/AVP 97', 'a=rtpmap:97 VP8/90000'),
    );
    expect(answer.match(/m=video \d+/g)).toEqual(['m=video 20002', 'm=video 0']);
  });

  test('goes one way where the room takes none of it, or gives none', () => {
    const offer = sdp('m=video 4002 RTP/AVP 97', 'a=rtpmap:97 VP8/90000');
    const [deaf, blind] = [make({ takes: [] }), make({ gives: ['h264'] })];
    deaf.answer(offer);
    blind.answer(offer);
    expect([deaf, blind].map(({ video }) => video?.agreed?.parameters.direction)).toEqual(['sendonly', 'recvonly']);
  });

  test('with keys is answered with others, and never without them again', () => {
    const speech = make();
    const secured = (version: string) =>
      sdp(`m=video 4002 RTP/SAVP 97`, 'a=rtpmap:97 VP8/90000', `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${version}`);
    const { sdp: answer } = speech.answer(secured(key));
    const { srtp } = speech.video?.agreed?.parameters ?? {};
    expect(srtp).toMatchObject({ suite: 'AES_CM_128_HMAC_SHA1_80', receiveKey: key });
    expect(answer).toContain(`inline:${srtp?.sendKey}`);
    speech.answer(sdp('m=video 4002 RTP/AVP 97', 'a=rtpmap:97 VP8/90000'));
    expect(speech.video?.agreed).toBeUndefined();
  });

  test('takes the feedback that it names', () => {
    const speech = make();
    const { sdp: answer } = speech.answer(h264('packetization-mode=1', 'a=rtcp-fb:97 nack pli', 'a=rtcp-fb:96 nack'));
    expect(answer.match(/a=rtcp-fb:.*/g)).toEqual(['a=rtcp-fb:* nack pli']);
    expect(speech.video?.agreed?.parameters.feedback).toEqual({ pli: true, fir: false, nack: false });
  });
});

describe('a description that is meant to take long', () => {
  test('is refused with a line of any length', () => {
    const offer = h264(`packetization-mode=1;x=a${' '.repeat(8_000)}b`);
    expect(() => make().answer(offer)).toThrow('A line of the SDP is longer than 4096 characters.');
  });

  test('has each of its formats looked at once', () => {
    const types = '97 '.repeat(1_000).trim();
    const parsed = parseSdp(sdp(`m=video 4002 RTP/AVP ${types}`, 'a=rtpmap:97 H264/90000'));
    const formats = parsed.media.slice(1).flatMap((media) => videoFormatsOf(parsed, media, ['h264']));
    expect(formats.map(({ payloadType }) => payloadType)).toEqual([97]);
  });
});

describe('what a phone can show', () => {
  test.each([
    ['42e01f', 3_600, 108_000],
    ['42800d', 396, 11_880],
    ['42000a', 99, 1_485],
    ['42f00b', 99, 1_485],
    ['640028', 8_192, 245_760],
  ])('by profile-level-id %s', (id, size, perS) => {
    const limits = limitsOf(h264(`profile-level-id=${id};packetization-mode=1`));
    expect(limits).toMatchObject({ maxMacroblocks: size, maxMacroblocksPerS: perS });
  });

  test('more than its level where it says so, and no more than b= and imageattr allow', () => {
    const offer = h264(
      'profile-level-id=42e00d;packetization-mode=1;max-fs=3600;max-mbps=108000;max-br=3000',
      'a=imageattr:97 send * recv [x=[320:16:640],y=[240:16:480]] [x=176,y=144]',
      'a=framerate:25',
    ).replace('a=rtpmap', 'b=TIAS:600000\r\na=rtpmap');
    expect(limitsOf(offer)).toMatchObject({
      ...{ maxMacroblocks: 3_600, maxMacroblocksPerS: 108_000, maxBitrateBps: 600_000 },
      ...{ maxWidth: 640, maxHeight: 480, maxFramerateHz: 25 },
    });
  });

  test('within what the whole session may take', () => {
    const offer = h264('profile-level-id=42e01f;packetization-mode=1').replace('t=0 0', 'b=AS:512\r\nt=0 0');
    expect(limitsOf(offer)?.maxBitrateBps).toBeCloseTo(512_000 * 0.93 - 64_000, 0);
  });
});

describe('our own offer', () => {
  test('has every format, and the answer chooses', () => {
    const speech = make();
    expect(speech.offer()).toMatch(/m=video 20002 RTP\/AVP 97 98 99\r\n/);
    speech.accept(sdp('m=video 5000 RTP/AVP 120', 'a=rtpmap:120 VP8/90000'));
    expect(speech.video?.agreed?.parameters).toMatchObject({
      send: { codec: 'vp8', payloadType: 120 },
      receive: [{ codec: 'vp8', payloadType: 99 }],
    });
    expect(speech.offer()).toMatch(/m=video 20002 RTP\/AVP 99\r\n/);
  });

  test('is a voice alone where the answer refuses the rest', () => {
    const speech = make();
    speech.offer();
    const { direction } = speech.accept(sdp('m=video 0 RTP/AVP 97'));
    expect(direction).toBe('sendrecv');
    expect(speech.video?.agreed).toBeUndefined();
  });

  test('holds both', () => {
    const speech = make();
    speech.answer(sdp('m=video 4002 RTP/AVP 97', 'a=rtpmap:97 VP8/90000'));
    speech.want('sendonly');
    expect(speech.offer()).toMatch(/m=audio[\s\S]*a=sendonly[\s\S]*m=video[\s\S]*a=inactive/);
  });
});
