import { describe, expect, test } from 'vitest';
import type { LegDirection } from '#core/leg-media.ts';
import { OfferAnswer, type OfferAnswerOptions } from './offer-answer.ts';

const ours = { address: '192.0.2.1', port: 20_000, srtp: 'allow', sessionId: '7' } as const;
const make = (change: Partial<OfferAnswerOptions> = {}) => new OfferAnswer({ ...ours, ...change });
const sdp = (...media: string[]) =>
  ['v=0', 'o=- 1 1 IN IP4 192.0.2.9', 's=-', 'c=IN IP4 192.0.2.9', 't=0 0', ...media, ''].join('\r\n');
const opusFirst = sdp(
  'm=audio 4000 RTP/AVP 96 0 97 98',
  'a=rtpmap:96 opus/48000/2',
  'a=rtpmap:97 telephone-event/48000',
  'a=rtpmap:98 telephone-event/8000',
);
const key30 = Buffer.alloc(30, 7).toString('base64');
const crypto = (suite = 'AES_CM_128_HMAC_SHA1_80', key = key30) => `a=crypto:4 ${suite} inline:${key}|2^20`;
const codeOf = (act: () => unknown) => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'taken';
};

describe('an offer', () => {
  test.each([
    ['0 8 101', 'pcmu', 0],
    ['8 0', 'pcma', 8],
    ['9 0', 'g722', 9],
    ['18 4 8', 'pcma', 8],
  ])('of %s gets %s by its static number', (formats, codec, payloadType) => {
    const { parameters } = make().answer(sdp(`m=audio 4000 RTP/AVP ${formats}`));
    expect(parameters.send).toMatchObject({ codec, payloadType, ptimeMs: 20 });
    expect(parameters).toMatchObject({ remoteAddress: '192.0.2.9', remotePort: 4000, direction: 'sendrecv' });
  });

  test('of Opus gets it by the number of the offer, with digits at its clock', () => {
    const { sdp: answer, parameters } = make().answer(opusFirst);
    expect(parameters.send).toMatchObject({ codec: 'opus', dtmf: { payloadType: 97, clockRateHz: 48_000 } });
    expect(answer).toContain('m=audio 20000 RTP/AVP 96 0 97 98\r\n');
    expect(answer).toContain('a=rtpmap:96 opus/48000/2\r\n');
  });

  test.each<[LegDirection, LegDirection]>([
    ['sendrecv', 'sendrecv'],
    ['sendonly', 'recvonly'],
    ['recvonly', 'sendonly'],
    ['inactive', 'inactive'],
  ])('that is %s gets %s', (offered, answered) => {
    const { sdp: answer, parameters } = make().answer(sdp('m=audio 4000 RTP/AVP 0', `a=${offered}`));
    expect(parameters.direction).toBe(answered);
    expect(answer).toContain(`a=${answered}\r\n`);
  });

  test('held by 0.0.0.0 is answered recvonly, and a later one is answered from itself', () => {
    const call = make();
    call.answer(opusFirst);
    const held = call.answer(opusFirst.replace('c=IN IP4 192.0.2.9', 'c=IN IP4 0.0.0.0'));
    expect(held.parameters).toMatchObject({ direction: 'recvonly', remoteAddress: '192.0.2.9' });
    expect(call.answer(opusFirst).parameters.direction).toBe('sendrecv');
  });

  test('while we hold is answered sendonly', () => {
    const call = make();
    call.want('sendonly');
    expect(call.answer(opusFirst).parameters.direction).toBe('sendonly');
  });

  test('that comes again gets the same answer; another one a higher version of the same session', () => {
    const call = make();
    const first = call.answer(opusFirst).sdp;
    expect(call.answer(opusFirst).sdp).toBe(first);
    expect(first).toContain('o=- 7 1 IN');
    expect(call.answer(`${opusFirst}a=sendonly\r\n`).sdp).toContain('o=- 7 2 IN');
  });

  test('of video as well has the video refused in its place', () => {
    const both = sdp('m=video 5000 RTP/AVP 96 97', 'a=rtpmap:96 H264/90000', 'm=audio 4000 RTP/AVP 0');
    const lines = make()
      .answer(both)
      .sdp.split('\r\n')
      .filter((line) => line.startsWith('m='));
    expect(lines).toEqual(['m=video 0 RTP/AVP 96 97', 'm=audio 20000 RTP/AVP 0']);
  });

  test.each([
    ['30', 'pcmu', 30],
    ['25', 'pcmu', 20],
    ['60', 'pcmu', 60],
    ['5', 'pcmu', 10],
    ['900', 'pcmu', 60],
    ['nonsense', 'pcmu', 20],
  ])('with ptime %s gets packets of that and never more', (ptime, _codec, ptimeMs) => {
    const { parameters } = make().answer(sdp('m=audio 4000 RTP/AVP 0', `a=ptime:${ptime}`));
    expect(parameters.send.ptimeMs).toBe(ptimeMs);
  });

  test.each([
    ['no codec of ours', sdp('m=audio 4000 RTP/AVP 18'), 'no_common_codec'],
    ['video alone', sdp('m=video 4000 RTP/AVP 96'), 'unprocessable'],
    ['audio that is off', sdp('m=audio 0 RTP/AVP 0'), 'unprocessable'],
    ['a name for an address', sdp('m=audio 4000 RTP/AVP 0', 'c=IN IP4 phone.example'), 'invalid_sdp'],
    ['a multicast address', sdp('m=audio 4000 RTP/AVP 0', 'c=IN IP4 224.2.1.1/127'), 'invalid_sdp', 'at 224.2.1.1'],
    ['one of IPv6', sdp('m=audio 4000 RTP/AVP 0', 'c=IN IP6 ff02::1'), 'invalid_sdp', 'at ff02::1'],
    ['the broadcast address', sdp('m=audio 4000 RTP/AVP 0', 'c=IN IP4 255.255.255.255'), 'invalid_sdp', 'at 255'],
    ['no address', sdp('m=audio 4000 RTP/AVP 0').replace(/c=.*\r\n/, ''), 'invalid_sdp'],
    ['DTLS, which has no key here', sdp('m=audio 4000 UDP/TLS/RTP/SAVP 0'), 'unprocessable'],
    ['RTP over TCP', sdp('m=audio 4000 TCP/RTP/AVP 0'), 'unprocessable', 'TCP/RTP/AVP; we take RTP over UDP'],
    ['no SDP at all', 'hello', 'invalid_sdp'],
    ['thousands of lines', `v=0\r\n${'a=x\r\n'.repeat(3_000)}`, 'invalid_sdp'],
    ['an m-line that is none', sdp('m=audio high RTP/AVP 0'), 'invalid_sdp'],
  ])('with %s is refused', (_what, offer, code, words = '') => {
    expect(codeOf(() => make().answer(offer))).toBe(code);
    expect(() => make().answer(offer)).toThrow(words);
  });
});

describe('encryption', () => {
  const plain = sdp('m=audio 4000 RTP/AVP 0');
  const secure = sdp('m=audio 4000 RTP/SAVP 0', crypto());
  const optional = sdp('m=audio 4000 RTP/AVP 0', crypto());
  const keyless = sdp('m=audio 4000 RTP/SAVP 0');

  test.each([
    ['off', plain, 'taken', false],
    ['off', secure, 'unprocessable', false],
    ['off', optional, 'taken', false],
    ['allow', plain, 'taken', false],
    ['allow', secure, 'taken', true],
    ['allow', optional, 'taken', true],
    ['allow', keyless, 'unprocessable', false],
    ['require', plain, 'unprocessable', false],
    ['require', secure, 'taken', true],
  ] as const)('%s, case %#: as the policy says', (srtp, offer, code, isEncrypted) => {
    const call = make({ srtp });
    expect(codeOf(() => call.answer(offer))).toBe(code);
    if (code !== 'taken') return;
    const { parameters, sdp: answer } = make({ srtp }).answer(offer);
    expect(parameters.srtp?.receiveKey).toBe(isEncrypted ? key30 : undefined);
    expect(answer.includes('a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:')).toBe(isEncrypted);
  });

  test.each([
    ['an MKI', `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key30}|2^20|1:4`],
    ['no encryption of SRTP', `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key30} UNENCRYPTED_SRTP`],
    ['a short key', 'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA'],
    ['a suite that is not ours', `a=crypto:1 F8_128_HMAC_SHA1_80 inline:${key30}`],
  ])('with %s is passed over for the next line', (_what, line) => {
    const { parameters } = make().answer(sdp('m=audio 4000 RTP/SAVP 0', line, crypto('AES_CM_128_HMAC_SHA1_32')));
    expect(parameters.srtp?.suite).toBe('AES_CM_128_HMAC_SHA1_32');
  });

  test('is never dropped again, and keeps our key while the suite stays', () => {
    const call = make();
    const before = call.answer(secure).parameters.srtp?.sendKey;
    expect(codeOf(() => call.answer(plain))).toBe('unprocessable');
    expect(call.answer(secure).parameters.srtp?.sendKey).toBe(before);
  });

  test('that we require and the peer does not answer ends the call', () => {
    const call = make({ srtp: 'require' });
    expect(call.offer()).toMatch(/m=audio 20000 RTP\/SAVP[\s\S]*a=crypto:1[\s\S]*a=crypto:3/);
    expect(codeOf(() => call.accept(plain))).toBe('unprocessable');
  });
});

describe('our offer', () => {
  test('has all we can, and its answer chooses', () => {
    const call = make();
    expect(call.offer()).toContain('m=audio 20000 RTP/AVP 111 9 0 8 101 102 13\r\n');
    const parameters = call.accept(sdp('m=audio 4000 RTP/AVP 8 96', 'a=rtpmap:96 telephone-event/8000'));
    expect(parameters.send).toMatchObject({ codec: 'pcma', payloadType: 8, dtmf: { payloadType: 96 } });
    expect(parameters.receive.dtmf[0]?.payloadType).toBe(101);
  });

  test('in a call keeps the numbers and the lines that were agreed', () => {
    const call = make();
    call.answer(sdp('m=video 5000 RTP/AVP 99', 'm=audio 4000 RTP/AVP 96', 'a=rtpmap:96 opus/48000/2'));
    call.want('sendonly');
    const offer = call.offer();
    expect(offer).toMatch(/m=video 0 RTP\/AVP 99\r\nm=audio 20000 RTP\/AVP 96\r\n[\s\S]*a=sendonly/);
    const answer = sdp('m=video 0 RTP/AVP 99', 'm=audio 4000 RTP/AVP 96', 'a=rtpmap:96 opus/48000/2', 'a=recvonly');
    expect(call.accept(answer)).toMatchObject({ direction: 'sendonly', send: { payloadType: 96 } });
  });

  test.each([
    ['refuses audio', sdp('m=audio 0 RTP/AVP 0')],
    ['chooses what was not offered', sdp('m=audio 4000 RTP/AVP 18')],
    ['has no line for it', sdp()],
  ])('whose answer %s fails', (_what, answer) => {
    const call = make();
    call.offer();
    expect(codeOf(() => call.accept(answer))).toBe('no_common_codec');
  });
});
