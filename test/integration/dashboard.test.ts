// What docker/ gives operators, against what there really is: a dashboard or an alert on a metric that nobody makes any more
// stays empty and silent, and nobody notices.
import { strict as assert } from 'node:assert';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configSchema } from '#config/schema.ts';
import { environmentName, listSettings } from '#config/settings.ts';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';

const folder = new URL('../../docker/', import.meta.url).pathname;
const readYaml = (path: string): unknown => parse(readFileSync(join(folder, path), 'utf8'), { strict: true });

let gateway: TestGateway;
/** Name to labels that its samples have; none where there is no sample yet. */
const metrics = new Map<string, Set<string>>();
beforeAll(async () => {
  gateway = await startGateway({ sip: { isEnabled: true } });
  await gateway.api('GET', '/api/rooms');
  const response = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${adminKey}` } });
  for (const line of (await response.text()).split('\n')) {
    const [, declared, type] = /^# TYPE (\S+) (\S+)/.exec(line) ?? [];
    const names = type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => declared + end) : [declared];
    if (declared) for (const name of names) metrics.set(name ?? '', new Set());
    const [, name = '', labels = ''] = /^([a-z_]+)\{(.*)\} /.exec(line) ?? [];
    for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g)) metrics.get(name)?.add(label);
  }
}, 30_000);
afterAll(() => gateway.close());

/** Added by Prometheus. */
const ofScrape = ['instance', 'job'];

/** @returns what of a PromQL expression is not there */
function missing(expression: string): string[] {
  const named = [...expression.matchAll(/\b((?:switchyard|webrtc|process|nodejs)_[a-z_]+)(?:\{([^}]*)\})?/g)];
  if (named.length === 0) return [`${expression} asks for nothing of ours`];
  return named.flatMap(([, name = '', selector = '']) => {
    const labels = metrics.get(name);
    if (!labels) return [`there is no ${name}`];
    const asked = [...selector.matchAll(/([a-z_]+)[=!]/g)].map(([, label = '']) => label);
    const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
    const unknown = [...asked, ...grouped].filter((label) => !labels.has(label) && !ofScrape.includes(label));
    return labels.size === 0 ? [] : unknown.map((label) => `${name} has no label ${label}`);
  });
}

const panelSchema = z.object({
  id: z.number(),
  type: z.enum(['row', 'stat', 'timeseries']),
  title: z.string().min(1),
  gridPos: z.strictObject({ x: z.number(), y: z.number(), w: z.number().max(24), h: z.number() }),
  targets: z.array(z.object({ refId: z.string(), expr: z.string().min(1) })).optional(),
});
const dashboardSchema = z.object({
  uid: z.string(),
  title: z.string(),
  schemaVersion: z.number(),
  panels: z.array(panelSchema).min(20),
  templating: z.object({ list: z.array(z.object({ name: z.string() })) }),
});

test('the dashboard asks for metrics and labels that the gateway has, and leaves none of its own out', () => {
  const file = join(folder, 'grafana/dashboards/switchyard.json');
  const { panels, templating } = dashboardSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  expect(expressions.flatMap(missing)).toEqual([]);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const variables = new Set(expressions.flatMap((text) => [...text.matchAll(/\$(\w+)/g)].map(([, name]) => name)));
  expect(templating.list.map(({ name }) => name)).toEqual(expect.arrayContaining([...variables]));
  const text = expressions.join('\n');
  const ours = [...metrics.keys()].filter((name) => /^(switchyard|webrtc)_/.test(name) && !/_(sum|count)$/.test(name));
  expect(ours.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});

test('a metric or label that is not there is found', () => {
  expect(missing('sum(rate(switchyard_gone_total[5m]))')).toEqual(['there is no switchyard_gone_total']);
  expect(missing('sum by (colour) (switchyard_http_requests_total)')).toEqual([
    'switchyard_http_requests_total has no label colour',
  ]);
});

const ruleSchema = z.strictObject({
  alert: z.string(),
  expr: z.string(),
  for: z
    .string()
    .regex(/^\d+[smh]$/)
    .optional(),
  annotations: z.strictObject({ summary: z.string() }),
});
const rulesSchema = z.strictObject({
  groups: z.array(z.strictObject({ name: z.string(), rules: z.array(ruleSchema).min(1) })),
});
const prometheusSchema = z.strictObject({
  global: z.strictObject({ scrape_interval: z.string(), evaluation_interval: z.string() }),
  rule_files: z.array(z.string()),
  scrape_configs: z.array(
    z.strictObject({
      job_name: z.string(),
      static_configs: z.array(z.strictObject({ targets: z.array(z.string().regex(/^[\w.]+:\d+$/)) })),
    }),
  ),
});

test('Prometheus scrapes where the gateway serves, and its alerts ask for what there is', () => {
  const prometheus = prometheusSchema.parse(readYaml('prometheus/prometheus.yaml'));
  const { metrics: served } = configSchema.parse({});
  expect(prometheus.scrape_configs[0]?.static_configs[0]?.targets).toEqual([`${served.host}:${served.port}`]);
  for (const file of prometheus.rule_files) {
    const rules = rulesSchema.parse(readYaml(`prometheus/${file}`)).groups.flatMap((group) => group.rules);
    const ours = rules.filter(({ expr }) => !expr.startsWith('up{'));
    expect(ours.flatMap(({ expr }) => missing(expr))).toEqual([]);
  }
});

const serviceSchema = z
  .strictObject({
    image: z
      .string()
      .regex(/^[\w./-]+:[\w.]+$/)
      .optional(),
    build: z.strictObject({ context: z.string(), dockerfile: z.string() }).optional(),
    network_mode: z.enum(['host', 'bridge']),
    restart: z.enum(['no', 'always', 'on-failure', 'unless-stopped']),
    stop_grace_period: z
      .string()
      .regex(/^\d+s$/)
      .optional(),
    command: z.array(z.string()).optional(),
    environment: z.array(z.string().regex(/^[A-Z_]+(=.*)?$/)).optional(),
    volumes: z.array(z.string().regex(/^[\w./-]+:\/[\w./-]+(:ro)?$/)).optional(),
  })
  .refine(({ image, build }) => (image === undefined) !== (build === undefined), 'has an image or a build');
const composeSchema = z.strictObject({
  name: z.string(),
  services: z.record(z.string(), serviceSchema),
  volumes: z.record(z.string(), z.null()),
});

test('compose names files, volumes and settings that there are', () => {
  const { services, volumes } = composeSchema.parse(readYaml('compose.yaml'));
  expect(Object.keys(services)).toEqual(['gateway', 'prometheus', 'grafana']);
  const mounted = Object.values(services).flatMap((service) => service.volumes?.map((one) => one.split(':')[0] ?? ''));
  for (const source of mounted) {
    if (source?.startsWith('.')) assert.ok(existsSync(join(folder, source)), source);
    else expect(Object.keys(volumes)).toContain(source);
  }
  assert.ok(existsSync(join(folder, services.gateway?.build?.context ?? '', 'docker/Dockerfile')));
  const known = new Set(listSettings(configSchema).settings.map(({ path }) => environmentName(path)));
  for (const one of services.gateway?.environment ?? []) {
    const name = one.split('=')[0] ?? '';
    // The key has a name of its own.
    if (name !== 'SWITCHYARD_ADMIN_KEY') expect(known).toContain(name);
  }
  const listens = services.prometheus?.command?.find((flag) => flag.startsWith('--web.listen-address=')) ?? '';
  const sources = readYaml('grafana/provisioning/datasources/prometheus.yaml') as { datasources: { url: string }[] };
  expect(sources.datasources[0]?.url).toBe(`http://${listens.split('=')[1]}`);
  const providers = readYaml('grafana/provisioning/dashboards/switchyard.yaml') as {
    providers: { options: { path: string } }[];
  };
  const target = services.grafana?.volumes?.find((one) => one.includes('./grafana/dashboards'))?.split(':')[1];
  expect(providers.providers[0]?.options.path).toBe(target);
  expect(readdirSync(join(folder, 'grafana/dashboards'))).toEqual(['switchyard.json']);
});
