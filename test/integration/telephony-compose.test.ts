// What docker/ gives those who run a drachtio-server and a FreeSWITCH beside the gateway, against what the gateway expects of them.
import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configSchema } from '#config/schema.ts';
import { environmentName, listSettings } from '#config/settings.ts';

const folder = new URL('../../docker/', import.meta.url).pathname;
const read = (path: string) => readFileSync(join(folder, path), 'utf8');

const serviceSchema = z
  .strictObject({
    image: z.string().optional(),
    build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
    network_mode: z.literal('host'),
    restart: z.literal('unless-stopped'),
    stop_grace_period: z.string().optional(),
    depends_on: z.array(z.string()).optional(),
    entrypoint: z.array(z.string()).optional(),
    command: z.array(z.string()).optional(),
    environment: z.array(z.string().regex(/^[A-Z_]+(=.*)?$/)).optional(),
    volumes: z.array(z.string().regex(/^[\w./-]+:\/[\w./-]+(:ro)?$/)).optional(),
  })
  .refine(({ image, build }) => (image === undefined) !== (build === undefined), 'has an image or a build');
const composeSchema = z.strictObject({
  name: z.string(),
  services: z.strictObject({ gateway: serviceSchema, drachtio: serviceSchema, freeswitch: serviceSchema }),
  volumes: z.strictObject({ data: z.null() }),
});
const { services } = composeSchema.parse(parse(read('compose.telephony.yaml'), { strict: true }));

/** `NAME=value` and names alone, as an object. */
const environmentOf = ({ environment = [] }: { environment?: string[] | undefined }) =>
  Object.fromEntries(environment.map((one) => [one.split('=')[0] ?? '', one.slice(one.indexOf('=') + 1)]));

/** @returns what is wrong with it as XML, for what such files have: tags, attributes, comments */
function faultOf(xml: string): string | undefined {
  const open: string[] = [];
  const text = xml.replace(/^<\?xml [^?]*\?>/, '').replaceAll(/<!--(?:(?!--)[\s\S])*-->/g, '');
  for (const [token] of text.matchAll(/<[^>]*>|[^<]+/g)) {
    if (!token.startsWith('<')) {
      if (token.trim() !== '') return `text: ${token.trim().slice(0, 40)}`;
      continue;
    }
    const [, slash, name = '', , end] = /^<(\/?)([\w-]+)((?:\s+[\w-]+="[^"<&]*")*)\s*(\/?)>$/.exec(token) ?? [];
    if (name === '') return `no tag: ${token}`;
    if (slash && open.pop() !== name) return `not open: ${token}`;
    if (!slash && !end) open.push(name);
  }
  return open.length > 0 ? `not closed: ${open.join(', ')}` : undefined;
}

const files = readdirSync(join(folder, 'freeswitch'));
const xml = files.map((file) => read(`freeswitch/${file}`)).join('\n');
const parameter = (name: string) => new RegExp(`<param name="${name}" value="([^"]*)"/>`).exec(xml)?.[1];

test('the files of FreeSWITCH are well-formed, and each is included', () => {
  expect(files.map((file) => [file, faultOf(read(`freeswitch/${file}`))])).toEqual(
    files.map((file) => [file, undefined]),
  );
  const included = [...xml.matchAll(/cmd="include" data="([^"]+)"/g)].map(([, file]) => file);
  expect(['freeswitch.xml', ...included].sort()).toEqual([...files].sort());
});

test.each(['<a><b></a></b>', '<a x=1/>', '<a>text</a>', '<a>', '<a x="&"/>'])('%s is no such file', (text) => {
  expect(faultOf(text)).toBeDefined();
});

test('FreeSWITCH listens where the gateway looks for it, with the profile that it asks for', () => {
  const settings = configSchema.parse({ sip: { freeswitch: { host: '127.0.0.1', password: 'x' } } }).sip.freeswitch;
  const environment = environmentOf(services.gateway);
  expect(parameter('listen-port')).toBe(environment.SWITCHYARD_SIP_FREESWITCH_PORT);
  expect(parameter('listen-ip')).toBe(environment.SWITCHYARD_SIP_FREESWITCH_HOST);
  expect(xml).toContain(`<profile name="${settings?.profile}">`);
  expect(xml).toContain(`<context name="${parameter('context')}">`);
  const asked = [...xml.matchAll(/printenv ([A-Z_]+)/g)].map(([, name]) => name);
  expect(Object.keys(environmentOf(services.freeswitch)).sort()).toEqual(asked.sort());
});

test('the ports of media of the three do not meet', () => {
  const { rtp } = configSchema.parse({});
  expect(Number(parameter('rtp-start-port'))).toBeGreaterThan(rtp.lastPort);
  expect(Number(parameter('rtp-end-port'))).toBeLessThan(configSchema.parse({}).sfu.firstPort);
});

test('compose names files and settings that there are, and the same secrets on both sides', () => {
  const known = new Set(listSettings(configSchema).settings.map(({ path }) => environmentName(path)));
  const environment = environmentOf(services.gateway);
  for (const name of Object.keys(environment)) {
    if (name !== 'SWITCHYARD_ADMIN_KEY') expect(known).toContain(name);
  }
  const command = services.drachtio.command ?? [];
  const flag = (name: string) => command[command.indexOf(name) + 1];
  expect([flag('--address'), flag('--port'), flag('--secret')]).toEqual([
    environment.SWITCHYARD_SIP_DRACHTIO_HOST,
    environment.SWITCHYARD_SIP_DRACHTIO_PORT,
    environment.SWITCHYARD_SIP_DRACHTIO_SECRET,
  ]);
  expect(environmentOf(services.freeswitch).FREESWITCH_PASSWORD).toBe(environment.SWITCHYARD_SIP_FREESWITCH_PASSWORD);
  expect(services.gateway.depends_on).toEqual(['drachtio', 'freeswitch']);
  const [source = '', target] = services.freeswitch.volumes?.[0]?.split(':') ?? [];
  assert.ok(existsSync(join(folder, source, 'freeswitch.xml')));
  expect(services.freeswitch.entrypoint).toContain(target);
  assert.ok(existsSync(join(folder, services.gateway.build?.context ?? '', services.gateway.build?.dockerfile ?? '')));
});
