import assert from 'node:assert/strict';
import { test } from 'vitest';
import type { RoomResource } from '#api/contract.ts';
import { roleOfPlayers } from './play-addresses.tsx';

const role = (name: string, audio: boolean, video: boolean) => ({
  role: name,
  subscribe: { audio, video, data: true },
});

test.each([
  ['viewer', [role('presenter', true, true), role('viewer', true, true)]],
  ['presenter', [role('phone', true, false), role('presenter', true, true), role('viewer', false, true)]],
  [undefined, [role('phone', true, false), role('viewer', false, false)]],
])('players get the role %s, which may see and hear', (expected, roles) => {
  assert.equal(roleOfPlayers({ roles } as unknown as RoomResource), expected);
});
