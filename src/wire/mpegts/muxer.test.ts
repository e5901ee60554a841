import { describe, expect, test } from 'vitest';
import { CollectingSink } from '#test/support/collecting-sink.ts';
import { TsDemuxer } from './demuxer.ts';
import { TsMuxer, type TsUnit, tsPacketBytes } from './muxer.ts';

const key = Buffer.concat([
  Buffer.from([0, 0, 0, 1, 0x67, 0x42, 0xc0, 0x1f, 0xda, 0x02, 0x80, 0xbf, 0xe5]),
  Buffer.from([0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]),
  Buffer.concat([Buffer.from([0, 0, 0, 1, 0x65]), Buffer.alloc(3_000, 0x55)]),
]);
const picture = (fill: number, bytes: number) =>
  Buffer.concat([Buffer.from([0, 0, 0, 1, 0x41]), Buffer.alloc(bytes, fill)]);
const aac = (fill: number) => Buffer.alloc(200, fill);

function units(): TsUnit[] {
  const list: TsUnit[] = [];
  for (let n = 0; n < 60; n++) {
    const at = n * 33_333;
    // Every length that the last packet of a unit can have.
    const data = n % 30 === 0 ? key : picture(0x33, 150 + n * 7);
    list.push({ kind: 'video', ptsUs: at + (n % 3) * 10_000, dtsUs: at, isKey: n % 30 === 0, data });
    list.push({ kind: 'audio', ptsUs: at, dtsUs: at, isKey: true, data: aac(n) });
  }
  return list;
}

describe('TS muxer', () => {
  test('what it makes is read again: streams, units, times, clock', () => {
    const muxer = new TsMuxer({ video: 'h264', audioConfig: Uint8Array.of(0x11, 0x90) });
    const sink = new CollectingSink();
    const demuxer = new TsDemuxer(sink);
    const sent = units();
    for (const unit of sent) {
      const packets = muxer.write(unit);
      expect(packets.length % tsPacketBytes).toBe(0);
      for (let at = 0; at < packets.length; at += tsPacketBytes) expect(packets[at]).toBe(0x47);
      demuxer.push(packets);
    }
    demuxer.flush();
    expect(demuxer.facts).toMatchObject({ strayBytes: 0, damaged: 0, scrambled: 0, unknownTypes: [] });
    expect(sink.stream('audio')).toMatchObject({ codec: 'aac', sampleRateHz: 48_000, channels: 2 });
    expect(sink.stream('video')).toMatchObject({ codec: 'h264' });
    const video = sink.of('video').flatMap((unit) => (unit.kind === 'access_unit' ? [unit] : []));
    const audio = sink.of('audio').flatMap((unit) => (unit.kind === 'access_unit' ? [unit] : []));
    const sentOf = (kind: string) => sent.filter((unit) => unit.kind === kind);
    expect([video.length, audio.length]).toEqual([60, 60]);
    const originUs = video[0]?.dtsUs ?? 0;
    for (const [n, unit] of sentOf('video').entries()) {
      expect(Math.abs((video[n]?.dtsUs ?? 0) - originUs - unit.dtsUs)).toBeLessThan(30);
      expect(Math.abs((video[n]?.ptsUs ?? 0) - originUs - unit.ptsUs)).toBeLessThan(30);
      expect(Buffer.from(video[n]?.data ?? []).includes(Buffer.from(unit.data).subarray(4))).toBe(true);
    }
    for (const [n, unit] of sentOf('audio').entries()) {
      expect(Buffer.compare(audio[n]?.data ?? Buffer.alloc(0), unit.data)).toBe(0);
      expect(Math.abs((audio[n]?.ptsUs ?? 0) - originUs - unit.ptsUs)).toBeLessThan(30);
    }
  });

  test('sound alone carries the clock itself', () => {
    const muxer = new TsMuxer({ audioConfig: Uint8Array.of(0x11, 0x90) });
    const packets = muxer.write({ kind: 'audio', ptsUs: 0, dtsUs: 0, isKey: true, data: aac(1) });
    // PAT, PMT, then the first packet of the unit with an adaptation field that has the clock.
    const third = packets.subarray(2 * tsPacketBytes);
    expect(third.readUInt16BE(1) & 0x1fff).toBe(0x101);
    expect((third[3] ?? 0) & 0x20).toBe(0x20);
    expect((third[5] ?? 0) & 0x10).toBe(0x10);
  });

  test('time stamps go on past their 33 bits', () => {
    const muxer = new TsMuxer({ audioConfig: Uint8Array.of(0x11, 0x90) });
    const wrapUs = (2 ** 33 * 100) / 9;
    const sink = new CollectingSink();
    const demuxer = new TsDemuxer(sink);
    for (let n = -3; n < 3; n++) {
      const at = wrapUs + n * 21_333;
      demuxer.push(muxer.write({ kind: 'audio', ptsUs: at, dtsUs: at, isKey: true, data: aac(n + 9) }));
    }
    demuxer.flush();
    const times = sink.of('audio').flatMap((unit) => (unit.kind === 'access_unit' ? [unit.ptsUs] : []));
    expect(times).toHaveLength(6);
    times.slice(1).forEach((time, at) => {
      expect(Math.abs(time - (times[at] ?? 0) - 21_333)).toBeLessThan(30);
    });
  });
});
