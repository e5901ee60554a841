import { strict as assert } from 'node:assert';
import { test } from 'vitest';
import { configSchema } from '#config/schema.ts';
import { joinAndPublish, someRooms } from '#test/support/some-room.ts';
import { ConferenceKeys } from './conference-keys.ts';

async function someKeys(over: object = {}) {
  const now = { ms: 0 };
  const said: string[] = [];
  const call = {
    isMuted: false,
    gainDb: 0,
    setMuted: (isMuted: boolean) => {
      call.isMuted = isMuted;
    },
    setGain: (gainDb: number) => {
      call.gainDb = gainDb;
    },
  };
  const { rooms } = someRooms();
  await rooms.create({ name: 'demo' });
  const { participant } = await joinAndPublish(await rooms.open('demo'), 'alice');
  const { keys } = configSchema.parse({ sip: { keys: over } }).sip;
  const own = new ConferenceKeys({ keys, participant, call, say: (prompt) => void said.push(prompt) }, () => now.ms);
  const press = (text: string) => {
    for (const key of text) own.press(key);
  };
  return { now, said, call, participant, press };
}

test('each key does its own, and what it did is said', async () => {
  const { said, call, participant, press } = await someKeys();
  press('*6*9*9*7*5*3');
  assert.deepEqual([call.isMuted, call.gainDb, participant.isHandRaised], [true, 3, true]);
  assert.deepEqual(said, ['louder', 'louder', 'quieter', 'hand_raised', 'people_in_room', 'n1']);
  press('*5*6');
  assert.deepEqual([call.isMuted, participant.isHandRaised, said.at(-1)], [false, false, 'hand_lowered']);
});

test('gain stays within bounds, keys far apart are no pair, and ** waits for the next', async () => {
  const { now, call, press } = await someKeys();
  press('*9'.repeat(20));
  assert.equal(call.gainDb, 15);
  press('*');
  now.ms += 3_001;
  press('6');
  assert.equal(call.isMuted, false);
  press('**6');
  assert.equal(call.isMuted, true);
});

test('keys that the configuration changes or takes away do as it says', async () => {
  const { call, participant, press } = await someKeys({ mute: '*1', hand: '' });
  press('*6*5');
  assert.deepEqual([call.isMuted, participant.isHandRaised], [false, false]);
  press('*1');
  assert.equal(call.isMuted, true);
  const off = await someKeys({ isEnabled: false });
  off.press('*6');
  assert.equal(off.call.isMuted, false);
});
