import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ConfigError, loadConfig } from './load.ts';
import { portOffsets } from './port-base.ts';
import { renderExample, renderReference } from './render.ts';
import { configSchema } from './schema.ts';
import { environmentName } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'switchyard-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fileWith(text: string): string {
  const file = join(folder, `${Math.random()}.yaml`);
  writeFileSync(file, text);
  return file;
}

test('nothing given is all defaults', () => {
  expect(loadConfig([], {}).config).toEqual(configSchema.parse({}));
});

test('flags win over environment, environment over the file, the file over port-base', () => {
  const file = fileWith('http: {port: 1}\nhttps: {port: 1}\nmetrics: {port: 1}\n');
  const { config } = loadConfig(['--config', file, '--port-base', '18000', '--metrics.port', '3'], {
    SWITCHYARD_HTTPS_PORT: '2',
    SWITCHYARD_METRICS_PORT: '2',
  });
  expect([config.http.port, config.https.port, config.metrics.port, config.sfu.firstPort]).toEqual([1, 2, 3, 18010]);
});

test('port-base moves every port that the schema has, each to its own place', () => {
  const places = Object.values(portOffsets);
  expect(new Set(places).size).toBe(places.length);
  const { config } = loadConfig(['--port-base', '30000'], {});
  expect(config.http.port).toBe(30000);
  expect(config.https.port).toBe(30001);
});

test('unknown keys are refused with their path, all problems at once', () => {
  const file = fileWith('http: {prot: 80, port: 70000}\nshutdwon: {}\n');
  expect(() => loadConfig(['--config', file], {})).toThrow(ConfigError);
  try {
    loadConfig(['--config', file], {});
  } catch (thrown) {
    const { message } = thrown as Error;
    expect(message).toContain('http: unknown key prot');
    expect(message).toContain('http.port:');
    expect(message).toContain('shutdwon');
  }
});

test.each([
  [['--port-base', 'x'], {}, /port-base/],
  [['--http.prot', '80'], {}, /http\.prot/],
  [['--http.port', 'eighty'], {}, /--http\.port: "eighty"/],
  [[], { SWITCHYARD_HTTP_PROT: '80' }, /SWITCHYARD_HTTP_PROT/],
  [['--config', '/nowhere.yaml'], {}, /nowhere\.yaml cannot be read/],
])('%j with %j is refused with its reason', (args, environment, reason) => {
  expect(() => loadConfig(args as string[], environment as Record<string, string>)).toThrow(reason);
});

test('text becomes numbers, booleans and lists; commands are what is left', () => {
  const { config, command } = loadConfig(['doctor', '--http.isEnabled', 'false', '--rooms.initial', 'a, b'], {
    SWITCHYARD_ADMIN_KEY: '0123456789abcdef',
    SWITCHYARD_ICE_SERVERS: '[{"urls":["stun:stun.example.org"]}]',
  });
  expect(config.http.isEnabled).toBe(false);
  expect(config.rooms.initial).toEqual(['a', 'b']);
  expect(config.auth.adminKey).toBe('0123456789abcdef');
  expect(config.ice.servers[0]?.urls).toEqual(['stun:stun.example.org']);
  expect(command).toEqual(['doctor']);
});

test('variables of the set-up and of the tests are none of ours, and no mistake', () => {
  const environment = {
    SWITCHYARD_CACHE: '/x',
    SWITCHYARD_SYSTEM_PACKAGES: 'skip',
    SWITCHYARD_TEST_X: '1',
    PATH: '/bin',
  };
  expect(loadConfig([], environment).config).toEqual(configSchema.parse({}));
});

test('names in the environment follow the path', () => {
  expect(environmentName(['http', 'maxBodyBytes'])).toBe('SWITCHYARD_HTTP_MAX_BODY_BYTES');
});

test('the example file is made from the schema and means the defaults', () => {
  const example = readFileSync(new URL('gateway.example.yaml', import.meta.url), 'utf8');
  expect(example).toBe(renderExample());
  expect(configSchema.parse(parse(example))).toEqual(configSchema.parse({}));
});

test('the reference page is made from the schema', () => {
  expect(readFileSync(new URL('../docs/config.md', import.meta.url), 'utf8')).toBe(renderReference());
});
