import { expect, test } from 'vitest';
import { folderPusher } from './pusher.ts';

test.each([
  ['file:///srv/live/room/index.m3u8', undefined],
  ['file:///srv/live/a%20b/manifest.mpd', undefined],
  ['file:///srv/lives/index.m3u8', 'forbidden'],
  ['file:///srv/live/../x/index.m3u8', 'forbidden'],
  ['file:///srv/live/%2e%2e/x/index.m3u8', 'forbidden'],
  ['file:///srv/live%2f..%2fx/index.m3u8', 'invalid_request'],
  ['file:///srv/live/%zz/index.m3u8', 'invalid_request'],
  ['file://elsewhere/srv/live/index.m3u8', 'invalid_request'],
  ['file:///srv/live/index.txt', 'invalid_request'],
])('of the folder /srv/live, %s is %s', (url, code) => {
  const check = () => folderPusher(['/srv/live']).check(url);
  if (code === undefined) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code }));
});
