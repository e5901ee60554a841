// Owns: `switchyard calls …` and `switchyard jobs …`. May import: #client, ../command, ../table.
import { itemsOf, type SipCall } from '#client/index.mjs';
import { type Command, choice, textOf, UsageError, wholeNumber } from '../command.ts';
import { card, table } from '../table.ts';

const callRow = ({ id, direction, state, from, to, roomId, startedAt }: SipCall) => [
  ...[id, direction, state, from, to, roomId, startedAt],
];

/** A list without end is of no use on a terminal: the newest are shown unless more is asked for. */
const defaultCount = 50;

async function first<T>(items: AsyncIterable<T>, count: number): Promise<T[]> {
  const found: T[] = [];
  if (count < 1) return found;
  for await (const item of items) if (found.push(item) >= count) break;
  return found;
}

/** @throws UsageError */
const countOf = (text: string | undefined): number => {
  const count = text === undefined ? defaultCount : wholeNumber(text, 'limit');
  if (count < 1) throw new UsageError('--limit takes 1 or more.');
  return count;
};

export const workCommands: readonly Command[] = [
  {
    name: 'calls list',
    positionals: [],
    options: {
      room: { value: 'ROOM', summary: 'only those of a room' },
      state: { value: 'STATE', summary: 'on or ended' },
      direction: { value: 'WAY', summary: 'inbound or outbound' },
      search: { value: 'TEXT', summary: 'part of a number or name' },
      limit: { value: 'N', summary: `how many, ${defaultCount} unless said` },
    },
    summary: 'calls of phones and records of those that were, the newest first',
    async run({ client }, _, given) {
      const [room, search] = ['room', 'search'].map((option) => textOf(given, option));
      const state = choice(given, 'state', ['on', 'ended']);
      const direction = choice(given, 'direction', ['inbound', 'outbound']);
      const count = countOf(textOf(given, 'limit'));
      const query = {
        limit: Math.min(count, 500),
        ...(room !== undefined && { room }),
        ...(search !== undefined && { search }),
        ...(state && { state }),
        ...(direction && { direction }),
      };
      const calls = await first(itemsOf(client.listCalls, { query }), count);
      const head = ['ID', 'WAY', 'STATE', 'FROM', 'TO', 'ROOM', 'BEGAN'];
      return { data: calls, text: table(head, calls.map(callRow)) };
    },
  },
  {
    name: 'calls show',
    positionals: ['CALL'],
    options: {},
    summary: 'one call: how it went, how good it was, why it ended',
    async run({ client }, [sipCall = '']) {
      const call = await client.readCall({ sipCall });
      return { data: call, text: card(call) };
    },
  },
  {
    name: 'calls hang-up',
    positionals: ['CALL'],
    options: {},
    summary: 'ends a call',
    async run({ client }, [sipCall = '']) {
      const { id, roomId } = await client.readCall({ sipCall });
      if (roomId === null) throw new UsageError(`Call ${id} is in no room, so there is nothing to hang up.`);
      await client.deleteSipCall({ room: roomId, sipCall: id });
      return { data: { id, isEnded: true }, text: `Call ${id} has ended.` };
    },
  },
  {
    name: 'jobs list',
    positionals: [],
    options: {
      kind: { value: 'KIND', summary: 'ingress, mix, view, transcode, egress, analytics' },
      state: { value: 'STATE', summary: 'starting, live, stalled, reconnecting' },
    },
    summary: 'what media workers do now',
    async run({ client }, _, given) {
      const kind = choice(given, 'kind', ['ingress', 'mix', 'view', 'transcode', 'egress', 'analytics']);
      const state = choice(given, 'state', ['starting', 'live', 'stalled', 'reconnecting', 'ended', 'failed']);
      const query = { limit: 500, ...(kind && { kind }), ...(state && { state }) };
      const jobs = await Array.fromAsync(itemsOf(client.listJobs, { query }));
      const rows = jobs.map((job) => [
        job.id,
        job.kind,
        job.state,
        job.reason,
        job.startedAt,
        job.restarts,
        job.workerPid,
      ]);
      return { data: jobs, text: table(['ID', 'KIND', 'STATE', 'REASON', 'BEGAN', 'RESTARTS', 'WORKER'], rows) };
    },
  },
  {
    name: 'jobs show',
    positionals: ['JOB'],
    options: {},
    summary: 'one job: what becomes of its streams and why, what it costs',
    async run({ client }, [job = '']) {
      const found = await client.readJob({ job });
      return { data: found, text: card(found) };
    },
  },
];
