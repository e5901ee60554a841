// The line of the log that docs/protocols/sip.md gives for fail2ban, tried by fail2ban itself where it is installed.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { Bans } from '#core/bans.ts';
import { Defence } from '#gateways/sip/defence.ts';
import { openSqliteStore } from '#store/sqlite.ts';
import { createLogger } from '#telemetry/logger.ts';

const isThere = spawnSync('fail2ban-regex', ['--version']).status === 0;

/** What the product writes for each kind of offence, and a line that is none. */
async function someLines(): Promise<string> {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  const { sip, log: settings } = configSchema.parse({ log: { format: 'json' } });
  const log = createLogger(settings, { stream });
  const store = openSqliteStore(':memory:', log);
  const bans = await Bans.create({ store, settings: sip.bans, isExempt: () => false });
  const defence = new Defence({ bans, ...sip.limits, exemptNetworks: [], log });
  const from = (address: string) => ({ source: { address, port: 5060, protocol: 'udp' }, callId: 'a@b' });
  defence.note('wrong_password', from('198.51.100.7'));
  defence.note('wrong_pin', from('198.51.100.8'));
  defence.note('nowhere', from('2001:db8::9'));
  log.warn({ from: '"offender":"203.0.113.1"', source: '203.0.113.1' }, 'call refused');
  await store.close();
  return text;
}

test.skipIf(!isThere)(
  'fail2ban finds each offender in the log, by the expression of our page, and nobody else',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fail2ban-'));
    try {
      const page = readFileSync(new URL('../../docs/protocols/sip.md', import.meta.url), 'utf8');
      const expression = /`failregex = ([^`]+)`/.exec(page)?.[1] ?? '';
      const file = join(folder, 'switchyard.log');
      writeFileSync(file, await someLines());
      const found = execFileSync('fail2ban-regex', ['--out', 'ip', file, expression], { encoding: 'utf8' });
      assert.deepEqual(found.trim().split(/\s+/), ['198.51.100.7', '198.51.100.8', '2001:db8::9']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
