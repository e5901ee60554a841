import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * Unit tests lie beside the code and run side by side; their files share processes, as most of their time went into loading
 * the same modules over and over. What starts gateways, browsers and other peers runs afterwards, one
 * file at a time, so that a slow machine measures the code and not the crowd; `npm test` runs the gateway's and the
 * peers' side by side, as they wait for most of their time.
 */
const withPeers = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000, sequence: { groupOrder: 1 } };

/** In the lane of the peers, so that both take about as long. */
const phones = ['test/integration/sip*.test.ts'];

/** What takes all there is of two cores: what measures how evenly or in step it comes. */
const alone = ['test/integration/{ingress-in-step,view-rates}.test.ts', 'test/interop/views-chromium.test.ts'];

/** Our own pages, where a browser is more than one can do beside the gateway's lane and the peers', but two are not. */
const pages = ['test/integration/{console,client-,meeting-}*.test.ts'];

/** What counts the timers of its process: those that files before it have left would be counted as well. */
const timers = ['gateways/sip/{parking,webrtc-path}.test.ts', 'gateways/sip/server/transaction/due-queue.test.ts'];

/** What runs native code, forks workers or weighs memory: each file in a process of its own. */
const native = [
  'media/**/*.test.ts',
  'src/{jobs,sfu}/**/*.test.ts',
  'gateways/{rtmp,rtsp,srt}/**/*.test.ts',
  ...timers,
];

export default defineConfig({
  test: {
    pool: 'forks',
    // Many wait for a process or for media in real time: on two cores three take less than half the time of one.
    maxWorkers: Math.max(3, availableParallelism() - 1),
    retry: 0,
    setupFiles: ['test/support/end-of-file.ts'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: [
            '{src,gateways,config,web,bench}/**/*.test.{ts,tsx}',
            'test/{arch,support}/**/*.test.ts',
            'scripts/**/*.test.mjs',
          ],
          exclude: native,
          isolate: false,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: 'native',
          include: native,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          ...{ ...withPeers, name: 'integration' },
          ...{ include: ['test/integration/**/*.test.ts'], exclude: [...alone, ...pages, ...phones] },
        },
      },
      {
        extends: true,
        test: { ...{ ...withPeers, fileParallelism: true, name: 'pages' }, ...{ include: pages, exclude: alone } },
      },
      { extends: true, test: { ...withPeers, name: 'alone', include: alone } },
      {
        extends: true,
        test: {
          ...{ ...withPeers, name: 'interop' },
          ...{ include: ['test/interop/**/*.test.ts', ...phones], exclude: alone },
        },
      },
    ],
  },
});
