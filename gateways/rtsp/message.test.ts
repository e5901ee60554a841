import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import { type InterleavedFrame, interleavedHead, RtspReader } from './interleaved.ts';
import { headerOf, type RtspMessage, serializeRequest, serializeResponse } from './message.ts';

function readAll(reader: RtspReader): (RtspMessage | InterleavedFrame)[] {
  const all: (RtspMessage | InterleavedFrame)[] = [];
  for (let one = reader.read(); one; one = reader.read()) all.push(one);
  return all;
}

function parse(text: string | Buffer): (RtspMessage | InterleavedFrame)[] {
  const reader = new RtspReader();
  reader.write(Buffer.from(text));
  return readAll(reader);
}

const stream = Buffer.concat([
  serializeRequest('OPTIONS', 'rtsp://a/b', { CSeq: '1' }),
  interleavedHead(2, 5),
  Buffer.from('\r\n$\n\n'),
  serializeResponse(200, { CSeq: '1', 'WWW-Authenticate': ['one', 'two'] }, 'v=0\r\n\r\n'),
  Buffer.from('\r\n\r\n'),
  serializeRequest('ANNOUNCE', '*', { CSeq: '2', Session: undefined }, 'body'),
]);

test('messages and frames come out of one stream, however it was cut', () => {
  const expected = parse(stream);
  expect(expected).toMatchObject([
    { kind: 'request', method: 'OPTIONS', uri: 'rtsp://a/b' },
    { kind: 'interleaved', channel: 2, payload: Buffer.from('\r\n$\n\n') },
    { kind: 'response', status: 200, reason: 'OK', body: Buffer.from('v=0\r\n\r\n') },
    { kind: 'request', method: 'ANNOUNCE', uri: '*', body: Buffer.from('body') },
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (cuts) => {
      const reader = new RtspReader();
      const received: unknown[] = [];
      for (let at = 0, i = 0; at < stream.length; at += cuts[i++ % cuts.length] as number) {
        reader.write(stream.subarray(at, at + (cuts[i % cuts.length] as number)));
        received.push(...readAll(reader));
      }
      expect(received).toEqual(expected);
    }),
  );
});

test('fields are found whatever their case, folded or repeated; lines may end in a bare LF', () => {
  const [message] = parse('RTSP/1.0 200 OK\nCSEQ:1\ntransport: RTP/AVP;\n  unicast\nx: 1\nX: 2\n\n') as [RtspMessage];
  expect(headerOf(message, 'cseq')).toBe('1');
  expect(headerOf(message, 'transport')).toBe('RTP/AVP; unicast');
  expect(message.headers.get('x')).toEqual(['1', '2']);
});

test('a value that holds a line break cannot add a field', () => {
  const [message] = parse(serializeResponse(200, { CSeq: '1\r\nEvil: yes' })) as [RtspMessage];
  expect([...message.headers.keys()]).toEqual(['cseq']);
});

describe('bounds', () => {
  test.each([
    ['a head that never ends', `OPTIONS * RTSP/1.0\r\n${'a: b\r\n'.repeat(4_000)}`],
    ['one line that never ends', 'A'.repeat(20_000)],
    ['a body of 4 GB', 'ANNOUNCE * RTSP/1.0\r\nContent-Length: 4000000000\r\n\r\n'],
    ['a body over the limit', 'ANNOUNCE * RTSP/1.0\r\nContent-Length: 65537\r\n\r\n'],
    ['a negative body', 'ANNOUNCE * RTSP/1.0\r\nContent-Length: -1\r\n\r\n'],
    ['101 fields', `OPTIONS * RTSP/1.0\r\n${'a: b\r\n'.repeat(101)}\r\n`],
    ['a field without a name', 'OPTIONS * RTSP/1.0\r\n: b\r\n\r\n'],
    ['HTTP', 'GET / HTTP/1.1\r\n\r\n'],
    ['noise', '\x00\x01\x02\r\n\r\n'],
  ])('%s is refused', (_name, text) => {
    expect(() => parse(text)).toThrow(GatewayError);
  });

  test('any bytes give messages, frames or a GatewayError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 500 }), fc.string({ maxLength: 300 })), (input) => {
        try {
          parse(Buffer.from(input as string));
        } catch (error) {
          expect(error).toBeInstanceOf(GatewayError);
        }
      }),
    );
  });
});
