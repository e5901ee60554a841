import { expect, test } from 'vitest';
import { someRooms } from '#test/support/some-room.ts';
import { sayInRoom } from './call-chat.ts';

test('of a phone’s MESSAGE plain text is said; who is typing is not, and CPIM is refused with 415', async () => {
  const { rooms } = someRooms();
  await rooms.create({ name: 'demo' });
  const room = await rooms.open('demo');
  const participant = room.join({ kind: 'sip', user: 'anna', displayName: 'Anna', role: 'presenter' });
  const say = (contentType: string, body: string) =>
    sayInRoom(participant, { method: 'MESSAGE', body, contentType, header: () => undefined, respond: () => undefined });
  say('text/plain;charset=UTF-8', 'hello\r\n');
  say('application/im-iscomposing+xml', '<isComposing/>');
  expect(room.chatHistory.map(({ text }) => text)).toEqual(['hello']);
  expect(() => say('message/cpim', 'From: <sip:anna@host>\r\n\r\nhello')).toThrow(
    expect.objectContaining({ code: 'unsupported_media_type', spec: expect.objectContaining({ sip: 415 }) }),
  );
  await participant.close('requested');
  expect(() => say('text/plain', 'late')).toThrow(expect.objectContaining({ code: 'closed' }));
  await rooms.close();
});
