import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { buildRtp, isRtcp } from './rtp/packet.ts';
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

test('a port to which more is sent than its process takes in knows that it is behind, until it has caught up', async () => {
  const port = await RtpPort.bind(0);
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const link = { id: 1, ip: '127.0.0.1', port: socket.address().port };
  port.openLink(link);
  port.onBehind = vi.fn();
  const pause = new Int32Array(new SharedArrayBuffer(4));
  let seen = 0;
  let takesMs = 0;
  port.listen(7, link, () => {
    seen += 1;
    if (takesMs > 0) Atomics.wait(pause, 0, 0, takesMs);
  });
  const send = (count: number) => {
    for (let n = 0; n < count; n++) {
      const header = { payloadType: 96, marker: true, sequenceNumber: n, timestamp: 0, ssrc: 7 };
      socket.send(buildRtp(header, Buffer.alloc(100)), port.port, '127.0.0.1');
    }
  };
  send(50);
  await vi.waitFor(() => expect(seen).toBe(50));
  expect(port.isBehind).toBe(false);
  takesMs = 4;
  send(1_000);
  await vi.waitFor(() => expect(port.isBehind).toBe(true), 20_000);
  expect(port.onBehind).toHaveBeenCalledOnce();
  takesMs = 0;
  await vi.waitFor(() => expect(port.isBehind).toBe(false), 20_000);
  port.close();
  socket.close();
}, 60_000);
