import { expect, test } from 'vitest';
import { parseFragment, writeFragment } from './sdp-fragment.ts';

const trickle = [
  'a=ice-ufrag:EsAw',
  'a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 0',
  'a=mid:0',
  'a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0',
  'a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0',
  'a=end-of-candidates',
  '',
].join('\r\n');

test('the fragment of RFC 9725 is read', () => {
  expect(parseFragment(trickle)).toEqual({
    usernameFragment: 'EsAw',
    password: 'P2uYro0UCOQ4zxjKXaWCBui1',
    candidateCount: 2,
  });
});

test('line ends may be bare', () => {
  expect(parseFragment(trickle.replaceAll('\r\n', '\n')).candidateCount).toBe(2);
});

test.each([
  ['nothing', '', 'invalid_sdp'],
  ['other text', 'hello', 'invalid_sdp'],
  ['a whole SDP', 'v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n', 'unprocessable'],
  ['too many candidates', 'a=candidate:1\r\n'.repeat(600), 'invalid_sdp'],
])('%s is refused', (_, text, code) => {
  expect(() => parseFragment(text)).toThrow(expect.objectContaining({ code }));
});

test('our own fragment can be read back', () => {
  const text = writeFragment(
    { usernameFragment: 'new', password: 'secret' },
    [
      {
        foundation: 'tcp',
        priority: 5,
        ip: '192.0.2.1',
        address: '192.0.2.1',
        protocol: 'tcp',
        port: 44_400,
        type: 'host',
        tcpType: 'passive',
      },
    ],
    { kind: 'video', mid: '1' },
  );
  expect(parseFragment(text)).toEqual({ usernameFragment: 'new', password: 'secret', candidateCount: 1 });
  expect(text).toContain(
    'm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\na=candidate:tcp 1 tcp 5 192.0.2.1 44400 typ host tcptype passive\r\n',
  );
});
