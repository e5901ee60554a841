import { expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { Leg } from '#core/leg.ts';
import type { VideoLeg } from '#core/video-leg.ts';
import { someRooms } from '#test/support/some-room.ts';
import { CallVideo, type CallVideoOptions } from './call-video.ts';
import { parseSdp, type SdpMedia } from './sdp.ts';

const offer = [
  ...['v=0', 'o=- 1 1 IN IP4 192.0.2.9', 's=-', 'c=IN IP4 192.0.2.9', 't=0 0', 'm=audio 4000 RTP/AVP 0'],
  ...['m=video 4002 RTP/AVP 99', 'a=rtpmap:99 VP8/90000', ''],
].join('\r\n');

/** Of a browser, over the ICE and DTLS of its voice. */
const bundledOffer = [
  ...['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1', 'm=audio 9 UDP/TLS/RTP/SAVPF 111'],
  ...['c=IN IP4 0.0.0.0', 'a=mid:0', 'm=video 9 UDP/TLS/RTP/SAVPF 99', 'c=IN IP4 0.0.0.0', 'a=mid:1'],
  ...['a=rtcp-mux', 'a=ssrc:42 cname:9', 'a=rtpmap:99 VP8/90000', ''],
].join('\r\n');

async function someCall() {
  const { rooms, log } = someRooms();
  const room = await rooms.open((await rooms.create({ name: 'r' })).record.id);
  const place = { id: 1, localAddress: '127.0.0.1', localPort: 40_000 };
  const leg = new Leg({ transport: undefined, send: () => undefined }, { ...place, language: 'en', timeoutMs: 10_000 });
  const speech: CallVideoOptions['speech'] = { video: undefined };
  const settings = { isEnabled: true, codecs: ['vp8' as const], maxHeight: 720, maxBitrateBps: 1_000_000 };
  return { leg, speech, options: { srtp: 'off' as const, room, leg, speech, settings, log } };
}

/** Bridges of no worker, one after the other. */
function somePath(failure?: Error) {
  const opened: { localPort: number; isClosed: boolean }[] = [];
  const openPicture = async () => {
    if (opened.length > 0 && failure) throw failure;
    const way = { localAddress: '127.0.0.1', localPort: 50_000 + opened.length, isClosed: false };
    opened.push(way);
    return Object.assign(way, { close: () => (way.isClosed = true) });
  };
  const path = { isLaid: true, bridge: { openPicture } } as unknown as { isLaid: boolean } & NonNullable<
    CallVideoOptions['path']
  >;
  return { path, opened };
}

const openVideo = async (of: Leg, options: Parameters<Leg['openVideo']>[0]) =>
  of.openVideo({ ...options, localPort: 40_002 });
const pictures = { phones: { openVideo }, views: {} } as unknown as CallVideoOptions['pictures'];

test('the picture of a phone that is asked over to another SFU worker goes through that one', async () => {
  const { leg, speech, options } = await someCall();
  const { path, opened } = somePath();
  const video = new CallVideo({ ...options, pictures, path });
  await video.expect(bundledOffer);
  const before = speech.video;
  await video.renew();
  expect(speech.video).toBe(before);
  const sdp = parseSdp(bundledOffer);
  before?.answer(sdp, sdp.media[1] as SdpMedia, false);
  expect(before?.agreed?.parameters).toMatchObject({ remotePort: 50_001, remoteRtcpPort: 50_001 });
  expect(opened.map(({ isClosed }) => isClosed)).toEqual([true, false]);
  await leg.close();
});

test('a picture for which there is no port in the other SFU worker is offered no more, but not where that one died as well', async () => {
  for (const isLaid of [true, false]) {
    const { leg, speech, options } = await someCall();
    const { path } = somePath(new GatewayError('overloaded', 'No port.'));
    const video = new CallVideo({ ...options, pictures, path });
    await video.expect(bundledOffer);
    path.isLaid = isLaid;
    await video.renew();
    expect(speech.video !== undefined).toBe(!isLaid);
    await leg.close();
  }
});

test('offers that come while the ports of a picture are being bound get those, and no others', async () => {
  const { leg, speech, options } = await someCall();
  const bound = Promise.withResolvers<void>();
  const opened: VideoLeg[] = [];
  const phones = {
    openVideo: async (of: Leg, options: Parameters<Leg['openVideo']>[0]) => {
      opened.push(of.openVideo({ ...options, localPort: 40_002 + opened.length }));
      await bound.promise;
      return opened[0];
    },
  };
  const video = new CallVideo({ ...options, pictures: { phones, views: {} } as unknown as typeof pictures });
  const expected = Promise.all([video.expect(offer), video.expect(offer)]);
  bound.resolve();
  await expected;
  expect(opened.map(({ localPort }) => localPort)).toEqual([speech.video?.port]);
  await leg.close();
});
