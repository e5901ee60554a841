import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { maskedPushUrl, maskedUrl } from './masked-url.ts';

test.each([
  ['rtsp://camera.example/stream', 'rtsp://camera.example/stream'],
  ['rtsp://admin:secret@10.0.0.1:554/h264?channel=1', 'rtsp://***:***@10.0.0.1:554/h264?channel=***'],
  ['rtsp://admin:p@ss@10.0.0.1/x', 'rtsp://***:***@10.0.0.1/x'],
  ['rtsp://admin:p/ss@10.0.0.1/x', 'rtsp://***:***@10.0.0.1/x'],
  ['rtmps://host/app/name?token=abc&e=1#f', 'rtmps://host/app/name?token=***&e=***'],
  ['rtsp://admin@[fe80::1]:8554/x', 'rtsp://***:***@[fe80::1]:8554/x'],
  ['srt://host:9000?secret&latency=200&', 'srt://host:9000?***&latency=***&'],
  ['nothing of the kind', '***'],
])('%s is shown as %s', (url, shown) => {
  assert.equal(maskedUrl(url), shown);
});

test.each([
  ['rtmp://host/app/key', 'rtmp://host/app/***'],
  ['rtmps://host/app/inst/key/?a=b', 'rtmps://host/app/inst/***/?a=***'],
  ['rtmp://host/app/key?sig/nature', 'rtmp://host/app/***?***'],
  ['rtsp://host:8554/key', 'rtsp://host:8554/***'],
  ['rtsps://user:p/ss@host/live/key', 'rtsps://***:***@host/live/***'],
  ['rtsp://host', 'rtsp://host'],
  ['https://origin/live/index.m3u8?cid=key', 'https://origin/live/index.m3u8?cid=***'],
])('a target %s is shown as %s', (url, shown) => {
  assert.equal(maskedPushUrl(url), shown);
});
