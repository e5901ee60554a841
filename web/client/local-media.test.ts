import { expect, test } from 'vitest';
import { canShareScreen, mediaError, openCamera } from './local-media.ts';

test.each([
  ['camera', 'NotAllowedError', 'permission_denied'],
  ['microphone', 'NotFoundError', 'no_device'],
  ['camera', 'OverconstrainedError', 'no_device'],
  ['camera', 'NotReadableError', 'device_busy'],
  ['screen', 'NotAllowedError', 'permission_denied'],
  ['camera', 'SomethingNewError', 'device_busy'],
] as const)('a %s that fails with %s is told as %s', (device, name, code) => {
  const error = mediaError(device, Object.assign(new Error('from the browser'), { name }));
  expect(error.code).toBe(code);
  expect(error.message).toContain(device);
});

test('without a secure page there is no camera, and the reason says what to do', async () => {
  // This runtime has no mediaDevices, as a page on plain HTTP has none.
  await expect(openCamera()).rejects.toMatchObject({
    code: 'unsupported_browser',
    message: expect.stringContaining('https://'),
  });
  expect(canShareScreen()).toBe(false);
});
