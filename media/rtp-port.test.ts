import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isRtcp } from './rtp/packet.ts';
import { parseRtcp } from './rtp/rtcp.ts';
import { RtpSender } from './rtp/sender.ts';
import { clockNowUs, fromNtp } from './rtp/sequence.ts';
import { RtpPort } from './rtp-port.ts';

test('a sender that is published tells what its clock says at once, several times, as soon as it has sent something', async () => {
  const port = await RtpPort.bind(0);
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const link = { id: 1, ip: '127.0.0.1', port: socket.address().port };
  port.openLink(link);
  const sender = new RtpSender({
    payloadType: 101,
    clockRateHz: 90_000,
    cname: 'JB_1',
    position: { ssrc: 7, sequenceNumber: 1, rtpTimestamp: 0, clockUs: clockNowUs() },
    send: (packet) => port.send(packet, link),
  });
  port.add(sender, link, { keyFrameRequested: () => undefined });
  const seen: ('rtp' | number)[] = [];
  const enough = Promise.withResolvers<void>();
  socket.on('message', (data) => {
    if (!isRtcp(data)) seen.push('rtp');
    for (const packet of isRtcp(data) ? parseRtcp(data) : []) {
      if (packet.kind === 'sr') seen.push(fromNtp(packet.ntpSeconds, packet.ntpFraction));
    }
    if (seen.length === 9) enough.resolve();
  });
  // Goes nowhere, as it is not published yet: reports before the next would be thrown away.
  sender.sendFrame([Uint8Array.of(1)], clockNowUs());
  port.introduce(7);
  sender.sendFrame([Uint8Array.of(1)], clockNowUs());
  await enough.promise;
  const [before, first, ...reports] = seen;
  expect([before, first]).toEqual(['rtp', 'rtp']);
  // By the regular ones it would have been seven seconds.
  expect((Number(reports.at(-1)) - Number(reports[0])) / 1e6).toBeLessThan(4);
  port.remove(7);
  port.close();
  socket.close();
});
