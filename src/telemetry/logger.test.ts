import { strict as assert } from 'node:assert';
import { Writable } from 'node:stream';
import { describe, test } from 'vitest';
import { GatewayError } from '#core/errors.ts';
import type { LogFields } from '#core/ports.ts';
import { createLogger } from './logger.ts';

function capture(options: { level?: 'debug' | 'info' | 'warn' | 'error'; format?: 'auto' | 'pretty' | 'json' } = {}) {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const log = createLogger({ level: options.level ?? 'debug', format: options.format ?? 'auto' }, { stream });
  const lines = () =>
    text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as LogFields);
  return { log, stream, text: () => text, lines };
}

test('a line is JSON with time, level, message and the fields of all its parents', () => {
  const { log, lines } = capture();
  log.child({ room: 'demo' }).child({ participant: 'PA_1' }).info({ reason: 'requested' }, 'participant left');
  const [line] = lines();
  assert.match(String(line?.time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(
    { ...line, time: 0 },
    { time: 0, level: 'info', room: 'demo', participant: 'PA_1', reason: 'requested', msg: 'participant left' },
  );
});

test('lines below the level are not written', () => {
  const { log, lines } = capture({ level: 'warn' });
  log.debug({}, 'a');
  log.info({}, 'b');
  log.child({ x: 1 }).info({}, 'c');
  log.warn({}, 'd');
  log.error({}, 'e');
  assert.deepEqual(
    lines().map(({ msg }) => msg),
    ['d', 'e'],
  );
});

test('pretty prints a line for people, and so does auto on a terminal', () => {
  const { log, text } = capture({ format: 'pretty' });
  log.info({ room: 'demo' }, 'room opened');
  assert.match(text(), /INFO.*room opened.*"room":"demo"/);
  const terminal = capture();
  Object.assign(terminal.stream, { isTTY: true });
  createLogger({ level: 'info', format: 'auto' }, { stream: terminal.stream }).info({}, 'hello');
  assert.ok(!terminal.text().startsWith('{'));
  assert.match(terminal.text(), /hello/);
});

const secret = 'hunter2hunter2hunter2';
const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';

describe('credentials are not written', () => {
  test.each<[string, LogFields]>([
    ['authorization', { authorization: secret }],
    ['deep', { request: { headers: { Authorization: secret, 'x-auth-token': secret, 'set-cookie': secret } } }],
    ['token', { token: secret, joinToken: secret, access_token: secret, resumeTicket: secret }],
    ['key', { key: secret, adminKey: secret, privateKey: secret, 'api-key': secret, keys: secret }],
    ['password', { password: secret, sip: { passwords: [secret] }, turn: { credential: secret } }],
    ['in a list', { items: [{ secret }, [{ pin: secret }]] }],
    ['a PIN as a number', { pin: 12_345_678_901_234, dialled: { pin: 12_345_678_901_234 } }],
    ['in a map', { headers: new Map([['authorization', secret]]) }],
    ['bearer in text', { header: `Bearer ${secret}` }],
    ['API key in text', { line: `used sk_abc123_${secret} here` }],
    ['JWT in text', { line: `got ${jwt} from it` }],
    ['query and fragment', { url: `https://x/y?token=${secret}&a=b`, page: `/console#login=${secret}` }],
    ['URL credentials', { url: `rtsp://admin:${secret}@camera.example/1` }],
    ['URL object', { url: new URL(`https://admin:${secret}@camera.example/1?key=${secret}`) }],
    ['SDP', { sdp: `v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:${secret}\r\na=crypto:1 AES inline:${secret}\r\n` }],
    ['error', { err: new Error(`no such Bearer ${secret}`, { cause: new Error(`${jwt}`) }) }],
    ['error property', { err: new Error('x', { cause: { password: secret } }) }],
  ])('%s', (_name, fields) => {
    const { log, text } = capture();
    log.info(fields, 'line');
    log.child(fields).info({}, 'child line');
    assert.ok(!text().includes(secret), text());
    assert.ok(!text().includes('12345678901234'), text());
    assert.ok(!text().includes('c2lnbmF0dXJl') && !text().includes('eyJzdWIiOiJhIn0'), text());
    assert.match(text(), /redacted/);
  });
});

test('ordinary fields that only sound like credentials stay', () => {
  const { log, lines } = capture();
  const fields = {
    keyId: 'AbC',
    hasToken: true,
    tokenTtlMs: 60_000,
    room: 'monkey',
    keyFrames: 3,
    pinned: 1,
    key: null,
  };
  log.info(fields, 'line');
  const { time: _time, level: _level, msg: _msg, ...rest } = lines()[0] ?? {};
  assert.deepEqual(rest, fields);
});

test('an error keeps its code, stack and the chain of its causes', () => {
  const { log, lines } = capture();
  const root = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  log.error({ err: new GatewayError('timeout', 'No answer.', { cause: root }) }, 'job failed');
  const err = lines()[0]?.err as LogFields;
  assert.equal(err.code, 'timeout');
  assert.equal(err.type, 'GatewayError');
  assert.match(String(err.stack), /logger\.test\.ts/);
  assert.deepEqual(
    [(err.cause as LogFields).code, (err.cause as LogFields).message],
    ['ECONNREFUSED', 'connect ECONNREFUSED'],
  );
});

test('whatever is thrown or circular or huge or odd makes one bounded line', () => {
  const { log, lines, text } = capture();
  const loop: Record<string, unknown> = { name: 'loop' };
  loop.self = loop;
  let deep: object = {};
  for (let i = 0; i < 10_000; i++) deep = { deep };
  class Room {
    id = 'RM_1';
    secrets = [secret];
  }
  const odd = { loop, deep, big: 'x'.repeat(1e6), many: Array(1e5).fill('y'), n: 1n, f: () => 1, s: Symbol('s') };
  log.info({ ...odd, buffer: Buffer.alloc(10), room: new Room(), date: new Date(Number.NaN), undef: undefined }, 'odd');
  log.info({ level: 'mine', time: 'mine', msg: 'mine' }, 'reserved names');
  assert.equal(lines().length, 2);
  assert.ok(text().length < 20_000);
  assert.ok(!text().includes(secret));
  assert.equal(lines()[0]?.room, '[Room RM_1]');
  assert.equal(lines()[0]?.buffer, '[10 bytes]');
  assert.deepEqual([lines()[1]?.level, lines()[1]?.level_, lines()[1]?.msg_], ['info', 'mine', 'mine']);
});
