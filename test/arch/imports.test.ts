// Compares the imports of the code with the table of who may import whom. May import: its neighbours, vite's parser.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { badNames, danglingImports, forbiddenImports, loadCycles, type PartTable } from './rules.ts';
import { listFiles, parseSource, projectDir, readSource } from './source-files.ts';

const core = 'src/core/';
const config = 'config/';
/** The vocabulary of the core and its way of closing things, but no rooms: a media worker knows none. */
const forMedia = [
  ...[
    'errors.ts',
    'ids.ts',
    'codecs.ts',
    'media-source.ts',
    'rtp.ts',
    'job.ts',
    'leg-media.ts',
    'video-leg-media.ts',
    'lifecycle.ts',
    'default-bitrate.ts',
    'egress-messages.ts',
    'analysis-messages.ts',
    'record-sink.ts',
    'reconnect.ts',
    'mix-messages.ts',
    'view-layout.ts',
    'view-messages.ts',
    'live-media.ts',
    'rtp-feed.ts',
    'rtp-formats.ts',
  ].map((file) => `${core}${file}`),
  // Media leaves a worker as fragments and segments of MP4 files, which are written without native code.
  'src/wire/fmp4/',
  'src/wire/segments/',
  'src/telemetry/',
];

/**
 * Who may import whom. A new edge is a decision: it is made here, in the change that needs it, with a word on why.
 * Parts that lie below `src` or `media` without a line of their own fall to the last two lines.
 */
const table: PartTable = {
  'src/core': { mayImport: [], packages: ['node:events', 'node:crypto'] }, // crypto: random ids
  config: { mayImport: [], packages: ['zod', 'yaml', 'node:*'] },
  'src/sfu': { mayImport: [core, config], packages: ['mediasoup', 'h264-profile-level-id', 'node:*'] },
  'src/cluster': { mayImport: [core, config], packages: ['zod', 'node:*'] },
  // Sockets and MPEG-TS, which several gateways use: they may not import each other, and core has no bytes.
  'src/wire': { mayImport: [core], packages: ['node:*'] },
  // Tells other servers: it dials, through what the gateways dial with.
  'src/webhooks': { mayImport: [core, 'src/wire/'], packages: ['node:*'] },
  // Forks the process that finishes files, as src/jobs forks media workers.
  'src/recordings': { mayImport: [core, config, 'media/finish-protocol.ts'], packages: ['zod', 'aws4fetch', 'node:*'] },
  'src/store': { mayImport: [core, config], packages: ['zod', 'node:*'] },
  'src/client': { mayImport: [], packages: [] },
  // Speaks the API like any program, but keys also without it, when nobody has one any more.
  'src/cli': { mayImport: [core, 'src/client/', 'src/store/', 'src/api/api-keys.ts'], packages: ['node:*'] },
  'src/telemetry': {
    mayImport: [core, config],
    packages: [
      'pino',
      'pino-pretty',
      'prom-client',
      '@opentelemetry/api',
      '@opentelemetry/core',
      '@opentelemetry/sdk-trace-base',
      '@opentelemetry/exporter-trace-otlp-http',
      '@opentelemetry/resources',
      'node:*',
    ],
  },
  'src/api': {
    mayImport: [core, config],
    packages: [
      'hono',
      '@hono/node-server',
      '@hono/zod-openapi',
      'zod',
      'jose',
      'selfsigned',
      'swagger-ui-dist',
      'ws', // events over WebSocket
      'node:*',
    ],
  },
  'src/signalling': { mayImport: [core, config], packages: ['zod', 'ws', 'node:*'] },
  // The pipe of media too: both ends have to write and read the same bytes.
  'src/jobs': {
    mayImport: [core, config, 'media/protocol.ts', 'media/media-pipe.ts', 'media/live-pipe.ts'],
    packages: ['zod', 'node:*'],
  },
  // sdp-transform is shared by the gateways that speak SDP; each protocol's own library has its own line.
  'gateways/*': {
    mayImport: [core, config, 'src/wire/'],
    packages: ['zod', 'hono', 'ws', 'sdp-transform', 'h264-profile-level-id', 'node:*'],
  },
  // MP4, WebM and the like, without native code.
  'gateways/http': { mayImport: [core, config, 'src/wire/'], packages: ['mediabunny', 'node:*'] },
  'gateways/sip': { mayImport: [core, config], packages: ['zod', 'ws', 'sdp-transform', 'drachtio-srf', 'node:*'] },
  // In a thread, loaded where a FreeSWITCH is configured; it throws where nobody can catch it.
  'gateways/sip/freeswitch': {
    mayImport: [core, config, 'gateways/sip/'],
    packages: ['drachtio-fsmrf', 'node:*'],
  },
  media: { mayImport: forMedia, packages: ['zod', 'node:*'] },
  // The worker's app.ts: opens pulled sources where their media is worked on, so that it does not cross another process.
  'media/source-openers.ts': {
    mayImport: [
      ...[...forMedia, `${core}net-policy.ts`, 'media/'],
      ...['gateways/http/index.ts', 'gateways/rtmp/index.ts', 'gateways/rtsp/index.ts', 'gateways/srt/index.ts'],
    ],
    packages: ['zod'],
  },
  // Its other half: pushes leave from where the media is made.
  'media/push-openers.ts': {
    mayImport: [
      ...[...forMedia, `${core}net-policy.ts`, 'media/', 'src/wire/'],
      ...['gateways/rtmp/index.ts', 'gateways/rtsp/index.ts', 'gateways/srt/index.ts'],
    ],
    packages: ['zod'],
  },
  // The one importer of node-av: everybody else goes through the owners it exports.
  'media/av': { mayImport: [...forMedia, 'media/'], packages: ['node-av', 'node:*'] },
  web: {
    mayImport: ['src/api/contract', 'src/signalling/protocol'],
    packages: ['preact', '@preact/signals', 'mediasoup-client', 'zod'],
  },
  'web/vite.config.ts': { mayImport: [], packages: ['vite', 'node:*'] },
  'src/app.ts': {
    mayImport: ['src/', 'gateways/', config, 'media/protocol.ts'],
    packages: ['hono', '@hono/node-server', 'ws', 'selfsigned', 'node:*'],
  },
  // The part of app.ts that knows the gateways which encoders push to.
  'src/ingest-parts.ts': { mayImport: ['src/', 'gateways/', config], packages: ['node:*'] },
  // Its other half: those that rooms are watched by.
  'src/viewing-parts.ts': { mayImport: ['src/', 'gateways/', config], packages: ['node:*'] },
  src: { mayImport: ['src/', config], packages: ['node:*'] }, // main.ts and what it alone uses
};

const codeFolders = ['src', 'gateways', 'media', 'config', 'web'];
const files = listFiles(codeFolders, /(?<!\.d)\.tsx?$/).map(readSource);
const mayReadEnvironment = /^(src\/main\.ts|config\/load\.ts)$|\.test\.ts$/;
const mayExportDefault = /(^|\/)vite(st)?\.config\.ts$/;

describe('the code', () => {
  test('imports only what the table allows', () => {
    expect(forbiddenImports(files, table)).toEqual([]);
  });

  test('has no import of app.ts or main.ts but the one of app.ts in main.ts', () => {
    const importers = files.filter(({ path, imports }) =>
      imports.some(({ target }) => target === 'src/main.ts' || (target === 'src/app.ts' && path !== 'src/main.ts')),
    );
    expect(importers.filter(({ path }) => !path.endsWith('.test.ts')).map(({ path }) => path)).toEqual([]);
  });

  test('has no cycle among imports that run', () => {
    expect(loadCycles(files)).toEqual([]);
  });

  test('imports only files that are there', () => {
    expect(danglingImports(files, (path) => existsSync(join(projectDir, path)))).toEqual([]);
  });

  test('reads the environment in src/main.ts and config/load.ts only', () => {
    const readers = files.filter(({ path, readsEnvironment }) => readsEnvironment && !mayReadEnvironment.test(path));
    expect(readers.map(({ path }) => path)).toEqual([]);
  });

  test('has named exports only', () => {
    const withDefault = files.filter(({ path, hasDefaultExport }) => hasDefaultExport && !mayExportDefault.test(path));
    expect(withDefault.map(({ path }) => path)).toEqual([]);
  });

  test('lies in files named for what they hold', () => {
    expect(badNames(listFiles([...codeFolders, 'scripts', 'test', 'bench'], /\.(tsx?|mjs)$/))).toEqual([]);
  });
});

describe('the checker', () => {
  const forbidden = (path: string, text: string) => forbiddenImports([parseSource(path, text)], table);

  test.each([
    ['a library in the core', 'src/core/room.ts', `import { pino } from 'pino';`],
    ['a socket in the core', 'src/core/room.ts', `import { connect } from 'node:net';`],
    ['a type from another part', 'src/core/room.ts', `import type { Worker } from '#sfu/sfu-worker-pool.ts';`],
    ['a relative path out of the part', 'src/sfu/transports.ts', `import { x } from '../api/app.ts';`],
    ['one gateway in another', 'gateways/rtmp/server.ts', `export { y } from '../sip/call.ts';`],
    ['the SFU in a gateway, by alias', 'gateways/rtmp/server.ts', `export * from '#sfu/transports.ts';`],
    ['a dynamic import', 'gateways/rtmp/server.ts', `const later = () => import('mediasoup');`],
    ['an import in a type', 'gateways/rtmp/server.ts', `let w: import('mediasoup').types.Worker;`],
    ['an import after a comment that hides none', 'src/core/a.ts', `/* import 'x' */ import 'zod'; // from 'y'`],
    ['node-av outside media/av', 'media/pipelines/ingress.ts', `import { Demuxer } from 'node-av';`],
    ['the media worker beyond its protocol', 'src/jobs/pool.ts', `import { mix } from '#media/mixer/audio-mix.ts';`],
    ['the server in a page', 'web/meeting/main.tsx', `import { Room } from '../../src/core/room.ts';`],
    ['another part in a test beside the code', 'src/core/room.test.ts', `import { app } from '#api/app.ts';`],
  ])('catches %s', (_, path, text) => {
    expect(forbidden(path, text)).toHaveLength(1);
  });

  test.each([
    [
      'src/sfu/transports.ts',
      `import type { types } from 'mediasoup'; import { RoomId } from '#core/ids.ts'; import './rtp-params.ts';`,
    ],
    ['src/core/room.test.ts', `import { test } from 'vitest'; import { FakeSfu } from '#test/support/fake-sfu.ts';`],
    ['src/jobs/pool.ts', `import { jobMessage } from '#media/protocol.ts';`],
    [
      'web/client/client.ts',
      `import type { ServerMessage } from '../../src/signalling/protocol.ts'; const s = "import 'pino'";`,
    ],
  ])('lets %s import what it may', (path, text) => {
    expect(forbidden(path, text)).toEqual([]);
  });

  test('tells a cycle that runs from one of types', () => {
    const pair = (kind: string) => [
      parseSource('src/core/a.ts', `import ${kind}{ b } from './b.ts';`),
      parseSource('src/core/b.ts', `import { a } from '#core/a.ts';`),
    ];
    expect(loadCycles(pair(''))).toEqual(['src/core/a.ts > src/core/b.ts > src/core/a.ts']);
    expect(loadCycles(pair('type '))).toEqual([]);
  });

  test.each([
    'const port = process.env.PORT;',
    `const port = process['env'].PORT;`,
    `import { env } from 'node:process';`,
  ])('sees that the environment is read by %s', (text) => {
    expect(parseSource('src/core/a.ts', text).readsEnvironment).toBe(true);
  });

  test.each(['export default 1;', 'const a = 1; export { a as default };', `export { default } from './b.ts';`])(
    'sees a default export in %s',
    (text) => {
      expect(parseSource('src/core/a.ts', text).hasDefaultExport).toBe(true);
    },
  );

  test('knows vague and oddly written names', () => {
    expect(
      badNames(['src/core/utils.ts', 'src/common/a.ts', 'web/meeting/VideoTile.tsx', 'src/core/token-bucket.test.ts']),
    ).toHaveLength(3);
  });

  test('sees an import of a file that is not there', () => {
    expect(danglingImports([parseSource('src/core/a.ts', `import './b.ts';`)], () => false)).toHaveLength(1);
  });
});
