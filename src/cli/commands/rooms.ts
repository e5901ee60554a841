// Owns: `switchyard rooms …` and `switchyard token`. May import: #client, ../command, ../table.
import { itemsOf, type RoomInput } from '#client/index.mjs';
import { type Command, durationMs, textOf, UsageError, wholeNumber } from '../command.ts';
import { card, table } from '../table.ts';

/** @throws UsageError */
function settingsOf(text: string | undefined): Partial<RoomInput> {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below, with what it should be.
  }
  throw new UsageError(`--settings takes a JSON object such as '{"lastN": 9}'.`);
}

export const roomCommands: readonly Command[] = [
  {
    name: 'rooms list',
    positionals: [],
    options: {
      name: { value: 'TEXT', summary: 'only those with it in their name or title' },
      active: { summary: 'only those with somebody in them' },
    },
    summary: 'rooms, and how many are in them',
    async run({ client }, _, given) {
      const name = textOf(given, 'name');
      const query = {
        limit: 500,
        ...(name !== undefined && { name }),
        ...(given.active && { isActive: 'true' as const }),
      };
      const rooms = await Array.fromAsync(itemsOf(client.listRooms, { query }));
      const rows = rooms.map((room) => [room.id, room.name, room.displayName, room.participantCount, room.createdAt]);
      return { data: rooms, text: table(['ID', 'NAME', 'TITLE', 'IN IT', 'MADE'], rows) };
    },
  },
  {
    name: 'rooms create',
    positionals: ['NAME'],
    options: {
      title: { value: 'TEXT', summary: 'shown to people' },
      'max-participants': { value: 'N', summary: 'at once' },
      pin: { value: 'DIGITS', summary: 'what phones have to type' },
      settings: { value: 'JSON', summary: 'everything else of a room, as the API takes it' },
    },
    summary: 'makes a room',
    async run({ client }, [name = ''], given) {
      const [title, pin, most] = ['title', 'pin', 'max-participants'].map((option) => textOf(given, option));
      const body = {
        ...settingsOf(textOf(given, 'settings')),
        name,
        ...(title !== undefined && { displayName: title }),
        ...(most !== undefined && { maxParticipants: wholeNumber(most, 'max-participants') }),
        ...(pin !== undefined && { sip: { pin } }),
      };
      const room = await client.createRoom({ body });
      return { data: room, text: `Room ${room.name} (${room.id}) is made.` };
    },
  },
  {
    name: 'rooms show',
    positionals: ['ROOM'],
    options: {},
    summary: 'a room with its settings, who is in it and how to dial in',
    async run({ client }, [room = '']) {
      const [found, participants, dialIn] = await Promise.all([
        client.readRoom({ room }),
        Array.fromAsync(itemsOf(client.listParticipants, { room, query: { limit: 500 } })),
        client.readDialIn({ room }),
      ]);
      const rows = participants.map(({ id, displayName, kind, role, joinedAt }) => [
        id,
        displayName,
        kind,
        role,
        joinedAt,
      ]);
      const people = rows.length > 0 ? `\n\n${table(['ID', 'NAME', 'KIND', 'ROLE', 'SINCE'], rows)}` : '';
      return { data: { ...found, participants, dialIn }, text: card({ ...found, dialIn: dialIn.addresses }) + people };
    },
  },
  {
    name: 'rooms delete',
    positionals: ['ROOM'],
    options: {},
    summary: 'deletes a room; whoever is in it is sent away',
    async run({ client }, [room = '']) {
      const { id, name } = await client.readRoom({ room });
      await client.deleteRoom({ room: id });
      return { data: { id, name, isDeleted: true }, text: `Room ${name} (${id}) is deleted.` };
    },
  },
  {
    name: 'token',
    positionals: ['ROOM'],
    options: {
      user: { value: 'NAME', summary: "the application's name for who joins; required" },
      role: { value: 'ROLE', summary: 'presenter unless said' },
      name: { value: 'TEXT', summary: 'what others see' },
      ttl: { value: 'TIME', summary: 'how long it can be used to join: 10m' },
      once: { summary: 'good for one join' },
    },
    summary: 'makes a join token and the link with it',
    async run({ client }, [room = ''], given) {
      const [user, name, ttl] = ['user', 'name', 'ttl'].map((option) => textOf(given, option));
      if (user === undefined) throw new UsageError('--user is missing: who is going to join?');
      const body = {
        ...{ user, role: textOf(given, 'role') ?? 'presenter' },
        ...(name !== undefined && { name }),
        ...(ttl !== undefined && { ttlMs: durationMs(ttl, 'ttl') }),
        ...(given.once && { once: true }),
      };
      const token = await client.createToken({ room, body });
      return {
        data: token,
        text: `${token.token}\n${token.url}\nGood for joining until ${token.expiresAt}; id ${token.id}.`,
      };
    },
  },
];
