import { expect, test } from 'vitest';
import { Leg } from '#core/leg.ts';
import type { VideoLeg } from '#core/video-leg.ts';
import { someRooms } from '#test/support/some-room.ts';
import { CallVideo, type CallVideoOptions } from './call-video.ts';

const offer = [
  ...['v=0', 'o=- 1 1 IN IP4 192.0.2.9', 's=-', 'c=IN IP4 192.0.2.9', 't=0 0', 'm=audio 4000 RTP/AVP 0'],
  ...['m=video 4002 RTP/AVP 99', 'a=rtpmap:99 VP8/90000', ''],
].join('\r\n');

test('offers that come while the ports of a picture are being bound get those, and no others', async () => {
  const { rooms, log } = someRooms();
  const room = await rooms.open((await rooms.create({ name: 'r' })).record.id);
  const place = { id: 1, localAddress: '127.0.0.1', localPort: 40_000 };
  const leg = new Leg({ transport: undefined, send: () => undefined }, { ...place, language: 'en', timeoutMs: 10_000 });
  const bound = Promise.withResolvers<void>();
  const opened: VideoLeg[] = [];
  const phones = {
    openVideo: async (of: Leg, options: Parameters<Leg['openVideo']>[0]) => {
      opened.push(of.openVideo({ ...options, localPort: 40_002 + opened.length }));
      await bound.promise;
      return opened[0];
    },
  };
  const speech: CallVideoOptions['speech'] = { video: undefined };
  const video = new CallVideo({
    ...{ pictures: { phones, views: {} } as unknown as CallVideoOptions['pictures'], srtp: 'off', room, leg, speech },
    settings: { isEnabled: true, codecs: ['vp8'], maxHeight: 720, maxBitrateBps: 1_000_000 },
    log,
  });
  const expected = Promise.all([video.expect(offer), video.expect(offer)]);
  bound.resolve();
  await expected;
  expect(opened.map(({ localPort }) => localPort)).toEqual([speech.video?.port]);
  await leg.close();
});
