// Owns: `switchyard nodes …`. May import: #client, ../command, ../table.
import { itemsOf, type Node } from '#client/index.mjs';
import { type Command, durationMs, textOf } from '../command.ts';
import { card, table } from '../table.ts';

const head = ['ID', 'STATE', 'READY', 'CPU %', 'ROOMS', 'PEOPLE', 'CALLS', 'JOBS', 'VERSION', 'SINCE'];

const rowOf = ({ id, state, isReady, load, version, startedAt, ...counts }: Node) => [
  ...[id, state, isReady, load.cpuPercent, counts.roomCount, counts.participantCount],
  ...[counts.callCount, counts.jobCount, version, startedAt],
];

const leftOf = ({ id, state, participantCount, callCount, jobCount }: Node): string =>
  state === 'drained'
    ? `Node ${id} takes nothing new, and nothing is left.`
    : `Node ${id} takes nothing new; left: ${participantCount} participants, ${callCount} calls, ${jobCount} jobs.`;

export const nodeCommands: readonly Command[] = [
  {
    name: 'nodes list',
    positionals: [],
    options: {},
    summary: 'the gateways that work together: state, load, what they do',
    async run({ client }) {
      const nodes = await Array.fromAsync(itemsOf(client.listNodes, { query: { limit: 500 } }));
      return { data: nodes, text: table(head, nodes.map(rowOf)) };
    },
  },
  {
    name: 'nodes show',
    positionals: ['NODE'],
    options: {},
    summary: 'one node with its workers and ports; self is the one that is asked',
    async run({ client }, [node = '']) {
      const found = await client.readNode({ node });
      return { data: found, text: card(found) };
    },
  },
  {
    name: 'nodes drain',
    positionals: ['NODE'],
    options: {
      reason: { value: 'TEXT', summary: 'for people: in /ready and events' },
      timeout: { value: 'TIME', summary: 'sends away what is left then: 10m, 1h; without it what is going on goes on' },
    },
    summary: 'takes nothing new from now on',
    async run({ client }, [node = ''], given) {
      const timeout = textOf(given, 'timeout');
      const time = timeout === undefined ? {} : { timeoutMs: durationMs(timeout, 'timeout') };
      const drained = await client.drainNode({ node, body: { reason: textOf(given, 'reason') ?? '', ...time } });
      return { data: drained, text: leftOf(drained) };
    },
  },
  {
    name: 'nodes undrain',
    positionals: ['NODE'],
    options: {},
    summary: 'takes work again',
    async run({ client }, [node = '']) {
      const active = await client.undrainNode({ node });
      return { data: active, text: `Node ${active.id} takes work.` };
    },
  },
];
