import { describe, expect, test } from 'vitest';
import { checkRtpCapabilities, checkRtpParameters } from './rtp-params.ts';

const valid = {
  mid: '0',
  codecs: [
    { mimeType: 'video/VP8', payloadType: 96, clockRate: 90_000, rtcpFeedback: [{ type: 'nack', parameter: 'pli' }] },
    { mimeType: 'video/rtx', payloadType: 97, clockRate: 90_000, parameters: { apt: 96 } },
  ],
  headerExtensions: [
    { uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 4 },
    { uri: 'http://example.org/an-extension-of-the-future', id: 5 },
  ],
  encodings: [{ ssrc: 1, rtx: { ssrc: 2 }, scalabilityMode: 'L1T3', maxBitrate: 500_000 }],
  rtcp: { cname: 'alice' },
};
const [vp8, rtx] = valid.codecs;

describe('RTP parameters of a client', () => {
  test('pass with what the SFU knows of them, and without what it does not', () => {
    expect(checkRtpParameters('video', { ...valid, surprise: true })).toEqual({
      mid: '0',
      msid: undefined,
      codecs: [
        {
          mimeType: 'video/VP8',
          payloadType: 96,
          clockRate: 90_000,
          parameters: {},
          rtcpFeedback: [{ type: 'nack', parameter: 'pli' }],
        },
        { mimeType: 'video/rtx', payloadType: 97, clockRate: 90_000, parameters: { apt: 96 }, rtcpFeedback: undefined },
      ],
      headerExtensions: [{ uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 4, encrypt: false, parameters: {} }],
      encodings: [
        {
          ssrc: 1,
          rtx: { ssrc: 2 },
          rid: undefined,
          codecPayloadType: undefined,
          dtx: false,
          scalabilityMode: 'L1T3',
          maxBitrate: 500_000,
        },
      ],
      rtcp: { cname: 'alice', reducedSize: true },
    });
  });

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'rtpParameters'],
    ['a list', [], 'rtpParameters'],
    ['no codecs', { ...valid, codecs: [] }, 'codecs'],
    ['codecs that are no list', { ...valid, codecs: { 0: vp8 } }, 'codecs'],
    ['audio as video', { ...valid, codecs: [{ ...vp8, mimeType: 'audio/opus' }] }, 'codecs[0].mimeType'],
    ['a payload type out of range', { ...valid, codecs: [{ ...vp8, payloadType: 128 }] }, 'codecs[0].payloadType'],
    [
      'a payload type that is a fraction',
      { ...valid, codecs: [{ ...vp8, payloadType: 96.5 }] },
      'codecs[0].payloadType',
    ],
    ['a payload type used twice', { ...valid, codecs: [vp8, vp8] }, 'codecs'],
    ['a clock of NaN', { ...valid, codecs: [{ ...vp8, clockRate: Number.NaN }] }, 'codecs[0].clockRate'],
    [
      'an fmtp that is a function',
      { ...valid, codecs: [{ ...vp8, parameters: { a: () => 1 } }] },
      'codecs[0].parameters.a',
    ],
    ['an fmtp beyond int32', { ...valid, codecs: [{ ...vp8, parameters: { a: 2 ** 31 } }] }, 'codecs[0].parameters.a'],
    [
      'an fmtp that is endless',
      { ...valid, codecs: [{ ...vp8, parameters: { a: 'x'.repeat(9_999) } }] },
      'codecs[0].parameters.a',
    ],
    [
      'an apt that is text',
      { ...valid, codecs: [vp8, { ...rtx, parameters: { apt: {} } }] },
      'codecs[1].parameters.apt',
    ],
    ['feedback without type', { ...valid, codecs: [{ ...vp8, rtcpFeedback: [{}] }] }, 'codecs[0].rtcpFeedback[0].type'],
    ['an extension id of 0', { ...valid, headerExtensions: [{ uri: 'urn:x', id: 0 }] }, 'headerExtensions[0].id'],
    ['an ssrc of 0', { ...valid, encodings: [{ ssrc: 0 }] }, 'encodings[0].ssrc'],
    ['an ssrc beyond 32 bits', { ...valid, encodings: [{ ssrc: 2 ** 32 }] }, 'encodings[0].ssrc'],
    ['an ssrc used for RTX too', { ...valid, encodings: [{ ssrc: 5, rtx: { ssrc: 5 } }] }, 'encodings'],
    ['a rid used twice', { ...valid, encodings: [{ rid: 'a' }, { rid: 'a' }] }, 'encodings'],
    ['a rid with spaces', { ...valid, encodings: [{ rid: 'a b' }] }, 'encodings[0].rid'],
    ['99 layers', { ...valid, encodings: [{ ssrc: 1, scalabilityMode: 'L99T99' }] }, 'encodings[0].scalabilityMode'],
    ['100 encodings', { ...valid, encodings: Array.from({ length: 100 }, () => ({})) }, 'encodings'],
    ['a sparse list', { ...valid, codecs: new Array(3) }, 'codecs[0]'],
    ['a cname longer than RTCP can say', { ...valid, rtcp: { cname: 'c'.repeat(256) } }, 'rtcp.cname'],
    ['a mid with a NUL', { ...valid, mid: 'a\0' }, 'mid'],
  ])('with %s are refused by the path of what is wrong', (_, parameters, path) => {
    expect(() => checkRtpParameters('video', parameters)).toThrow(
      expect.objectContaining({ code: 'invalid_request', fields: [expect.objectContaining({ path })] }),
    );
  });

  test('cannot reach the prototype by a parameter of that name', () => {
    const parameters = JSON.parse('{"__proto__": "polluted", "constructor": "x"}');
    const checked = checkRtpParameters('video', { ...valid, codecs: [{ ...vp8, parameters }] });
    expect(Object.getPrototypeOf(checked.codecs[0]?.parameters)).toBe(Object.prototype);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('RTP capabilities of a client', () => {
  test('pass with known extensions only', () => {
    const capabilities = {
      codecs: [{ kind: 'audio', mimeType: 'audio/opus', preferredPayloadType: 111, clockRate: 48_000, channels: 2 }],
      headerExtensions: [
        { kind: 'audio', uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', preferredId: 10, direction: 'sendonly' },
        { kind: 'video', uri: 'urn:unknown', preferredId: 3 },
      ],
    };
    expect(checkRtpCapabilities(capabilities)).toEqual({
      codecs: [{ ...capabilities.codecs[0], parameters: {}, rtcpFeedback: undefined }],
      headerExtensions: [{ kind: 'audio', uri: 'urn:ietf:params:rtp-hdrext:ssrc-audio-level', preferredId: 10 }],
    });
    expect(checkRtpCapabilities({})).toEqual({ codecs: [], headerExtensions: [] });
  });

  test.each<[string, unknown, string]>([
    ['null', null, 'rtpCapabilities'],
    [
      'a codec of no kind',
      { codecs: [{ mimeType: 'audio/opus', preferredPayloadType: 1, clockRate: 1 }] },
      'codecs[0].kind',
    ],
    [
      'a codec without number',
      { codecs: [{ kind: 'audio', mimeType: 'audio/opus', clockRate: 1 }] },
      'codecs[0].preferredPayloadType',
    ],
    [
      'an extension id of 999',
      { headerExtensions: [{ kind: 'audio', uri: 'u', preferredId: 999 }] },
      'headerExtensions[0].preferredId',
    ],
  ])('that are or have %s are refused', (_, capabilities, path) => {
    expect(() => checkRtpCapabilities(capabilities)).toThrow(
      expect.objectContaining({ code: 'invalid_request', fields: [expect.objectContaining({ path })] }),
    );
  });
});
