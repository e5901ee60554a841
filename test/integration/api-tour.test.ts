// docs/api-tour.md is run as it is written, against a gateway, and has to leave no route out.
import { strict as assert } from 'node:assert';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { adminKey, startGateway, type TestGateway } from '#test/support/gateway.ts';
import { PeerProcess } from '#test/support/peer-process.ts';

const projectDir = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(projectDir, 'docs/api-tour.md'), 'utf8');

interface Step {
  readonly script: string;
  /** What it prints; `…` stands for anything within a line. */
  readonly answer: string;
}

/** Every block of commands with the block of answers that follows it, if one does. */
const steps: readonly Step[] = [...page.matchAll(/^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?/gms)].map(
  ([, script = '', answer = '']) => ({ script, answer }),
);

const mark = (step: number) => `=== step ${step} is over ===\n`;

function patternOf(answer: string): RegExp {
  const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${answer.split('…').map(literal).join('.*')}$`);
}

/** @returns what each step printed */
async function run(variables: Readonly<Record<string, string>>): Promise<string[]> {
  const set = Object.entries(variables).map(([name, value]) => `${name}='${value}'\n`);
  const marked = steps.map(({ script }, step) => `${script}printf '%s' '${mark(step)}'\n`);
  const bash = new PeerProcess('bash', ['-euo', 'pipefail', '-c', [...set, ...marked].join('')], { cwd: projectDir });
  try {
    const code = await bash.exited;
    const printed = bash.output.split(/^=== step \d+ is over ===\n/m);
    assert.equal(code, 0, `ended with ${code} after ${printed.length - 1} of ${steps.length} steps: ${printed.at(-1)}`);
    return printed;
  } finally {
    await bash.stop('SIGKILL');
  }
}

/** `get /api/rooms/{room}` for all that is documented and was not asked for. */
async function untouched(gateway: TestGateway): Promise<string[]> {
  const requests = gateway.log.lines.filter(({ message }) => message === 'request').map(({ fields }) => fields);
  const { paths } = await gateway.api<{ paths: Record<string, object> }>('GET', '/openapi.json');
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ path, method })),
  );
  return operations
    .filter(({ path, method }) => {
      const pattern = new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
      return !requests.some((asked) => asked.method === method.toUpperCase() && pattern.test(String(asked.path)));
    })
    .map(({ path, method }) => `${method} ${path}`);
}

test('the tour of the API by curl goes as its page says, and leaves no route out', async () => {
  expect(steps.length).toBeGreaterThan(10);
  const gateway = await startGateway({ sip: { isEnabled: true } });
  // A phone that is there and never picks up.
  const phone = createSocket('udp4');
  try {
    await once(phone.bind(0, '127.0.0.1'), 'listening');
    const [, code = ''] = /#login=(\w+)/.exec(gateway.app.welcome()) ?? [];
    const printed = await run({
      URL: gateway.url,
      KEY: adminKey,
      CODE: code,
      PHONE: `sip:bob@127.0.0.1:${phone.address().port}`,
    });
    const surprises = steps.flatMap(({ script, answer }, n) =>
      patternOf(answer).test(printed[n] ?? '') ? [] : [{ script, answer, printed: printed[n] }],
    );
    expect(surprises).toEqual([]);
    expect(await untouched(gateway)).toEqual([]);
  } finally {
    phone.close();
    await gateway.close();
  }
}, 120_000);
