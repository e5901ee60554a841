import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { maskedUrl } from './masked-url.ts';

test.each([
  ['rtsp://camera.example/stream', 'rtsp://camera.example/stream'],
  ['rtsp://admin:secret@10.0.0.1:554/h264?channel=1', 'rtsp://***:***@10.0.0.1:554/h264?channel=***'],
  ['rtsp://admin:p@ss@10.0.0.1/x', 'rtsp://***:***@10.0.0.1/x'],
  ['rtsp://admin:p/ss@10.0.0.1/x', 'rtsp://***:***@10.0.0.1/x'],
  ['rtmps://host/app/name?token=abc&e=1#f', 'rtmps://host/app/name?token=***&e=***'],
  ['rtsp://admin@[fe80::1]:8554/x', 'rtsp://***:***@[fe80::1]:8554/x'],
  ['nothing of the kind', '***'],
])('%s is shown as %s', (url, shown) => {
  assert.equal(maskedUrl(url), shown);
});
