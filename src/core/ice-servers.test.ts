import { expect, test } from 'vitest';
import { createIceServers } from './ice-servers.ts';

const urls = ['turn:turn.example.org:3478?transport=udp'];

test('static credentials are passed on, and servers without any have none', () => {
  const port = createIceServers([
    { urls: ['stun:stun.example.org'], ttlMs: 1 },
    { urls, username: 'u', credential: 'p', ttlMs: 1 },
  ]);
  expect(port.iceServersFor('PA_1')).toEqual([
    { urls: ['stun:stun.example.org'] },
    { urls, username: 'u', credential: 'p' },
  ]);
});

test('a shared secret makes credentials that end after their time and hide the secret', () => {
  const port = createIceServers([{ urls, secret: 'north', ttlMs: 60_000 }], () => 1_000_000_000_000);
  // Checked with: printf '1000000060:PA_1' | openssl dgst -sha1 -hmac north -binary | base64
  expect(port.iceServersFor('PA_1')).toEqual([
    { urls, username: '1000000060:PA_1', credential: 'L213zE6MH8AgQY8scH9NMj4aVrc=' },
  ]);
});
