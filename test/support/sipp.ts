// Owns: SIPp as a peer in tests: scenarios written as TypeScript, run once, with what went wrong in the error.
import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type SippTransport = 'udp' | 'tcp';

export interface SippOptions {
  /** `host:port` of who is called; absent where SIPp waits to be called. */
  readonly target?: string | undefined;
  /** XML between `<scenario>` and its end: what `send`, `recv` and their like below make. */
  readonly scenario: string;
  readonly transport?: SippTransport;
  readonly localAddress?: string;
  readonly localPort?: number;
  /** [service] of the scenario. */
  readonly service?: string;
  readonly calls?: number;
  readonly rate?: number;
  readonly timeoutSec?: number;
  readonly args?: readonly string[];
}

export interface SippRun {
  /** Resolves when every call succeeded; rejects with SIPp's own words and the messages otherwise. */
  readonly done: Promise<void>;
  stop(): void;
}

const transportFlags: Record<SippTransport, string> = { udp: 'u1', tcp: 't1' };
const maxShown = 6000;

export function startSipp(options: SippOptions): SippRun {
  const controller = new AbortController();
  const done = run(options, controller.signal);
  // A test that fails for another reason never looks at it.
  done.catch(() => undefined);
  return { done, stop: () => controller.abort() };
}

export async function sipp(options: SippOptions): Promise<void> {
  await startSipp(options).done;
}

async function run(options: SippOptions, signal: AbortSignal): Promise<void> {
  const { transport = 'udp', calls = 1, rate = 10, timeoutSec = 8, localAddress = '127.0.0.1' } = options;
  const dir = await mkdtemp(join(tmpdir(), 'sipp-'));
  try {
    const scenario = `<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="test">\n${options.scenario}\n</scenario>\n`;
    await writeFile(join(dir, 'scenario.xml'), scenario);
    const args = ['-sf', 'scenario.xml', '-t', transportFlags[transport], '-i', bracketed(localAddress)];
    args.push('-m', String(calls), '-r', String(rate), '-nostdin', '-timeout', `${timeoutSec}s`, '-timeout_error');
    args.push('-trace_err', '-trace_msg', '-recv_timeout', String(timeoutSec * 1000));
    if (options.localPort !== undefined) args.push('-p', String(options.localPort));
    if (options.service !== undefined) args.push('-s', options.service);
    args.push(...(options.args ?? []));
    if (options.target !== undefined) args.push(options.target);
    const { code, output } = await execute(args, dir, signal);
    if (code !== 0 && !signal.aborted) throw new Error(await story(dir, code, output));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function execute(args: readonly string[], cwd: string, signal: AbortSignal): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('sipp', args, { cwd, signal, killSignal: 'SIGKILL', stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('latin1')).slice(-maxShown);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => (signal.aborted ? resolve({ code: -1, output }) : reject(error)));
    child.on('close', (code) => resolve({ code: code ?? -1, output }));
  });
}

async function story(dir: string, code: number, output: string): Promise<string> {
  const parts = [`SIPp ended with ${code}`];
  for (const name of (await readdir(dir)).sort()) {
    if (!name.endsWith('.log')) continue;
    parts.push(`--- ${name}`, (await readFile(join(dir, name), 'utf8')).slice(-maxShown));
  }
  if (parts.length === 1) parts.push(output.slice(-2000));
  return parts.join('\n');
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

// ── scenario words ─────────────────────────────────────────────────────────────────────────────────────────────────

const defaultSdp = `v=0
o=sipp 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000
a=sendrecv
`;

export const sdpOf = (lines = ''): string => defaultSdp + lines;

export interface RequestWords {
  readonly method: string;
  /** Request-URI; [next_url] in a dialog with [routes]. */
  readonly uri?: string;
  readonly cseq?: number;
  /** In a dialog: To carries the peer's tag. */
  readonly isInDialog?: boolean;
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly contentType?: string;
  readonly retransMs?: number;
  /** Same branch as the request before: ACK of a non-2xx, CANCEL. */
  readonly branch?: string;
}

/** A request of the caller's side. */
export function request(words: RequestWords): string {
  const { method, uri = 'sip:[service]@[remote_ip]:[remote_port]', cseq = 1, headers = [], body = '' } = words;
  const to = words.isInDialog
    ? '<sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]'
    : '<sip:[service]@[remote_ip]:[remote_port]>';
  const lines = [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${words.branch ?? '[branch]'}`,
    'From: "Test" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPpTag00[call_number]',
    `To: ${to}`,
    'Call-ID: [call_id]',
    `CSeq: ${cseq} ${method}`,
    'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>',
    'Max-Forwards: 70',
    ...headers,
  ];
  if (body !== '') lines.push(`Content-Type: ${words.contentType ?? 'application/sdp'}`);
  return send([...lines, 'Content-Length: [len]', '', body].join('\n'), words.retransMs);
}

/** A response of the called side, to the request that came last. */
export function response(
  status: string,
  { tag = true, headers = [] as readonly string[], body = '', retransMs = 0 } = {},
): string {
  const lines = [
    `SIP/2.0 ${status}`,
    '[last_Via:]',
    '[last_From:]',
    tag ? '[last_To:];tag=[pid]SIPpTag01[call_number]' : '[last_To:]',
    '[last_Call-ID:]',
    '[last_CSeq:]',
    '[last_Record-Route:]',
    'Contact: <sip:[local_ip]:[local_port];transport=[transport]>',
    ...headers,
  ];
  if (body !== '') lines.push('Content-Type: application/sdp');
  return send([...lines, 'Content-Length: [len]', '', body].join('\n'), retransMs === 0 ? undefined : retransMs);
}

export function send(text: string, retransMs?: number): string {
  return `<send${retransMs === undefined ? '' : ` retrans="${retransMs}"`}><![CDATA[\n\n${text}\n]]></send>`;
}

export interface RecvWords {
  /** Keeps Route and Contact for [routes] and [next_url]. */
  readonly rrs?: boolean;
  readonly optional?: boolean;
  /** Header to a pattern that it must match; `body` looks at all. */
  readonly expect?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

export const recv = (status: number, words: RecvWords = {}): string => receive(`response="${status}"`, words);
export const recvRequest = (method: string, words: RecvWords = {}): string => receive(`request="${method}"`, words);

function receive(what: string, { rrs, optional, expect = {}, timeoutMs }: RecvWords): string {
  const attributes = [what, rrs && 'rrs="true"', optional && 'optional="true"', timeoutMs && `timeout="${timeoutMs}"`];
  const actions = Object.entries(expect).map(([header, pattern], i) => {
    const where = header === 'body' ? 'search_in="msg"' : `search_in="hdr" header="${header}:"`;
    return `<ereg regexp="${escapeXml(pattern)}" ${where} check_it="true" assign_to="v${i}"/><log message="[$v${i}]"/>`;
  });
  const action = actions.length > 0 ? `<action>${actions.join('')}</action>` : '';
  return `<recv ${attributes.filter(Boolean).join(' ')}>${action}</recv>`;
}

export const pause = (ms: number): string => `<pause milliseconds="${ms}"/>`;

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

export const ack = (cseq = 1): string =>
  request({ method: 'ACK', cseq, isInDialog: true, uri: '[next_url]', headers: ['[routes]'] });
/** ACK of a final response that is no 2xx: the branch of the INVITE, `back` commands before. */
export const ackFailure = (cseq = 1, back = 3): string =>
  request({ method: 'ACK', cseq, isInDialog: true, branch: `[branch-${back}]` });
export const bye = (cseq = 2): string =>
  request({ method: 'BYE', cseq, isInDialog: true, uri: '[next_url]', headers: ['[routes]'], retransMs: 500 });
export const invite = (words: Partial<RequestWords> = {}): string =>
  request({ method: 'INVITE', body: defaultSdp, retransMs: 500, ...words });

/** The INVITE for a called side that answers it after other requests, by `responseToInvite`, or hangs up by `byeOfCallee`. */
export function recvInviteToKeep(words: RecvWords = {}): string {
  const keep = (name: string, header: string) =>
    `<ereg regexp=".*" search_in="hdr" header="${header}:" assign_to="${name}"/>`;
  const kept = [
    keep('via', 'Via'),
    keep('from', 'From'),
    keep('to', 'To'),
    '<ereg regexp="[0-9]+" search_in="hdr" header="CSeq:" assign_to="seq"/>',
    '<assignstr assign_to="me" value="[$to];tag=[pid]SIPpTag01[call_number]"/>',
  ].join('');
  const received = recvRequest('INVITE', { rrs: true, ...words });
  const withActions = received.includes('<action>')
    ? received.replace('<action>', `<action>${kept}`)
    : received.replace('</recv>', `<action>${kept}</action></recv>`);
  return `${withActions}\n<Reference variables="via,from,to,seq,me"/>`;
}

/** To the INVITE that `recvInviteToKeep` kept. */
export function responseToInvite(status: string, body = ''): string {
  const lines = [
    `SIP/2.0 ${status}`,
    'Via: [$via]',
    'From: [$from]',
    'To: [$me]',
    '[last_Call-ID:]',
    'CSeq: [$seq] INVITE',
    'Contact: <sip:[local_ip]:[local_port];transport=[transport]>',
  ];
  if (body !== '') lines.push('Content-Type: application/sdp');
  return send([...lines, 'Content-Length: [len]', '', body].join('\n'), 500);
}

export const byeOfCallee = (): string =>
  request({ method: 'BYE', uri: '[next_url]', retransMs: 500 })
    .replace(/From: [^\n]*/, 'From: [$me]')
    .replace(/To: [^\n]*/, 'To: [$from]');
