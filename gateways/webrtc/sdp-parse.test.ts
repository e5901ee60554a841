import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { readSdp, type SdpFixture, sdpFixtures } from '#test/support/sdp-fixtures.ts';
import { parseParameters, parseSdp } from './sdp-parse.ts';

function refusalOf(text: string): GatewayError {
  try {
    parseSdp(text);
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown;
    throw thrown;
  }
  throw new Error('was accepted');
}

test.each(sdpFixtures)('%s is understood, with ICE and DTLS for the bundle', (name) => {
  const description = parseSdp(readSdp(name));
  expect(description.usernameFragment.length).toBeGreaterThanOrEqual(4);
  expect(description.fingerprint).toMatchObject({
    algorithm: 'sha-256',
    value: expect.stringMatching(/^..(:..){31}$/),
  });
  for (const section of description.sections) {
    expect(section).toMatchObject({ isRejected: false, isBundled: true, index: description.sections.indexOf(section) });
    if (section.kind !== 'application') expect(section).toMatchObject({ hasRtcpMux: true });
  }
});

test('ICE and DTLS said once for the session hold for all m-lines (libdatachannel)', () => {
  expect(parseSdp(readSdp('obs-simulcast'))).toMatchObject({
    usernameFragment: 'k3Qs',
    setup: 'actpass',
    originUser: 'rtc',
  });
});

test('an m-line with port 0 and bundle-only is in use (GStreamer)', () => {
  const text = readSdp('gstreamer-send');
  expect(parseSdp(text).sections.map(({ isRejected }) => isRejected)).toEqual([false, false]);
  expect(parseSdp(text.replace('a=bundle-only\r\n', '')).sections.map(({ isRejected }) => isRejected)).toEqual([
    false,
    true,
  ]);
});

test.each<[SdpFixture, string[]]>([
  ['chromium-send', []],
  ['chromium-simulcast', ['q', 'h', 'f']],
  ['firefox-simulcast', ['h', 'm', 'l']],
  ['obs-simulcast', ['0', '1', '2']],
])('rids of %s are those of a=simulcast', (name, rids) => {
  const video = parseSdp(readSdp(name)).sections.find(({ kind }) => kind === 'video');
  expect(video?.sendRids.map(({ id }) => id)).toEqual(rids);
});

test('restrictions of a rid are read', () => {
  const video = parseSdp(readSdp('firefox-simulcast')).sections[1];
  expect(video?.sendRids[1]).toEqual({ id: 'm', restrictions: { 'max-width': '640', 'max-height': '360' } });
});

test('paused and alternative rids count as the stream that they are', () => {
  const text = readSdp('chromium-simulcast').replace('a=simulcast:send q;h;f', 'a=simulcast:send q;~h;f,x');
  expect(parseSdp(text).sections[0]?.sendRids.map(({ id }) => id)).toEqual(['q', 'h', 'f']);
});

test('codecs keep the order, payload types, parameters and feedback of the peer', () => {
  const video = parseSdp(readSdp('chromium-receive')).sections[0];
  expect(video?.codecs.slice(0, 4).map(({ payloadType, name }) => `${payloadType} ${name}`)).toEqual([
    '96 VP8',
    '97 rtx',
    '98 VP9',
    '99 rtx',
  ]);
  expect(video?.codecs.find(({ payloadType }) => payloadType === 108)).toMatchObject({
    parameters: { 'level-asymmetry-allowed': '1', 'packetization-mode': '1', 'profile-level-id': '42e01f' },
    feedback: [
      { type: 'goog-remb', parameter: '' },
      { type: 'transport-cc', parameter: '' },
      { type: 'ccm', parameter: 'fir' },
      { type: 'nack', parameter: '' },
      { type: 'nack', parameter: 'pli' },
    ],
  });
});

test('static payload types need no a=rtpmap', () => {
  const text = readSdp('chromium-send').replace('a=rtpmap:0 PCMU/8000\r\n', '');
  const pcmu = parseSdp(text).sections[0]?.codecs.find(({ payloadType }) => payloadType === 0);
  expect(pcmu).toMatchObject({ name: 'PCMU', clockRate: 8_000 });
});

test.each<[string, (text: string) => string, RegExp]>([
  ['not SDP', () => 'hello', /does not start with v=0/],
  ['nothing', () => '', /does not start with v=0/],
  ['no m-line', (text) => text.slice(0, text.indexOf('m=audio')), /no m-line/],
  ['too long', (text) => text + 'a=x\r\n'.repeat(20_000), /longer than/],
  ['a long line', (text) => `${text}a=${'x'.repeat(10_000)}\r\n`, /line is too long/],
  ['no ICE', (text) => text.replaceAll(/a=ice-.*\r\n/g, ''), /ice-ufrag/],
  ['no fingerprint', (text) => text.replaceAll(/a=fingerprint.*\r\n/g, ''), /fingerprint is missing/],
  ['another digest', (text) => text.replaceAll('a=fingerprint:sha-256', 'a=fingerprint:md5'), /not one of/],
  ['another role', (text) => text.replaceAll('a=setup:actpass', 'a=setup:holdconn'), /a=setup/],
  ['one mid twice', (text) => text.replace('a=mid:1', 'a=mid:0'), /same a=mid/],
  ['a mid that is none', (text) => text.replace('a=mid:1', 'a=mid:<b>'), /not a token/],
  ['many m-lines', (text) => text + 'm=audio 9 RTP/AVP 0\r\n'.repeat(200), /more than 128 m-lines/],
  ['a malformed m-line', (text) => `${text}m=\r\n`, /malformed/],
  ['an SSRC of 0', (text) => text.replaceAll('a=ssrc:951726668', 'a=ssrc:0'), /SSRC/],
])('%s is refused with the reason', (_, change, reason) => {
  const error = refusalOf(change(readSdp('chromium-send')));
  expect(['invalid_sdp', 'unprocessable']).toContain(error.code);
  expect(error.message).toMatch(reason);
});

test('one rid twice is refused', () => {
  const text = readSdp('chromium-simulcast').replace('a=simulcast:send q;h;f', 'a=simulcast:send q;h;q');
  expect(refusalOf(text)).toMatchObject({ code: 'invalid_sdp', message: expect.stringContaining('rid') });
});

test('parameters are a plain table, whatever their names', () => {
  const parameters = parseParameters('Apt=96; __proto__=1;constructor=2;flag;=x');
  expect(Object.entries(parameters)).toEqual([
    ['apt', '96'],
    ['__proto__', '1'],
    ['constructor', '2'],
  ]);
});
