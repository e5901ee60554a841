import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { GatewayError } from '#core/errors.ts';
import type { LegParameters } from '#core/leg-media.ts';
import { someRooms } from '#test/support/some-room.ts';
import type { CallMedia } from './call-media.ts';
import type { SipDialog, SipDialogEvents, SipQuestion } from './dialog.ts';
import { OfferAnswer } from './offer-answer.ts';
import { PeerRequests } from './peer-requests.ts';

const sdp = (direction = 'sendrecv', formats = '8 0') =>
  `v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP ${formats}\r\na=${direction}\r\n`;

/** A call that is on, answered from an offer of the phone. */
function someCall({ isComingBack = false, isClosed = false } = {}) {
  const speech = new OfferAnswer({ address: '192.0.2.1', port: 20_000, srtp: 'allow', sessionId: '7' });
  speech.answer(sdp());
  const spoken: LegParameters[] = [];
  const failures: GatewayError[] = [];
  const pressed: string[] = [];
  const media = {
    speech,
    isComingBack,
    video: undefined,
    answerTo: async ({ body }: SipQuestion) => speech.answer(body),
  };
  const requests = new PeerRequests(
    {
      ...{ isClosed, media: media as unknown as CallMedia, pressed: (digit) => pressed.push(digit) },
      ...{ speak: (parameters) => spoken.push(parameters), fail: (error) => failures.push(error) },
      ...{ hear: () => undefined, referred: (question) => question.respond(603) },
    },
    someRooms().log,
  );
  const events = new EventEmitter<SipDialogEvents>();
  requests.listen({ events } as unknown as SipDialog, false);
  const ask = async (method: string, body = '', contentType = 'application/sdp') => {
    const answer = Promise.withResolvers<{ status: number; body: string }>();
    const respond: SipQuestion['respond'] = (status, { body: words = '' } = {}) =>
      answer.resolve({ status, body: words });
    const question: SipQuestion = { method, body, contentType, header: () => undefined, respond };
    events.emit(method === 'INVITE' || method === 'UPDATE' ? 'offered' : 'asked', question);
    return answer.promise;
  };
  return { ask, spoken, failures, pressed, acknowledge: (body: string) => events.emit('acknowledged', body) };
}

test('a re-INVITE without an offer gets ours, and what its ACK answers holds from then on', async () => {
  const { ask, acknowledge, spoken, failures } = someCall();
  const { status, body } = await ask('INVITE');
  expect([status, body]).toEqual([200, expect.stringMatching(/m=audio 20000 RTP\/AVP 8 0\r\n[\s\S]*a=sendrecv/)]);
  expect(spoken).toEqual([]);
  acknowledge(sdp('recvonly', '0'));
  expect(spoken).toEqual([expect.objectContaining({ direction: 'sendonly', remoteAddress: '192.0.2.9' })]);
  expect(spoken[0]?.send.codec).toBe('pcmu');
  // Once: the ACK of another re-INVITE answers nothing.
  acknowledge(sdp());
  expect([spoken.length, failures]).toEqual([1, []]);
});

test.each([
  ['', 'invalid_sdp'],
  [sdp('sendrecv', '18'), 'no_common_codec'],
])('an ACK that answers our offer with %j ends the call with the reason', async (body, code) => {
  const { ask, acknowledge, spoken, failures } = someCall();
  await ask('INVITE');
  acknowledge(body);
  expect([spoken, failures.map((error) => error.code)]).toEqual([[], [code]]);
});

test('an UPDATE without SDP is a sign of life, and offers nothing', async () => {
  const { ask, acknowledge, spoken } = someCall();
  expect(await ask('UPDATE')).toEqual({ status: 200, body: '' });
  acknowledge(sdp());
  expect(spoken).toEqual([]);
});

test.each(['INVITE', 'UPDATE'])(
  '%s holds and takes back, each answered from its own offer; one that cannot be is refused',
  async (method) => {
    const { ask, spoken, failures } = someCall();
    const answers: [number, string | undefined][] = [];
    for (const offer of [sdp('sendonly'), sdp('inactive'), sdp('sendrecv', '18'), sdp()]) {
      const { status, body } = await ask(method, offer);
      answers.push([status, /a=((?:send|recv|in)\w+)/.exec(body)?.[1]]);
    }
    expect(answers).toEqual([
      [200, 'recvonly'],
      [200, 'inactive'],
      [488, undefined],
      [200, 'sendrecv'],
    ]);
    expect(spoken.map(({ direction }) => direction)).toEqual(['recvonly', 'inactive', 'sendrecv']);
    // The call is as it was.
    expect(failures).toEqual([]);
  },
);

test('an offer meanwhile another of ours is about to be made has to wait, and of a call that is over there is none', async () => {
  const busy = someCall({ isComingBack: true });
  expect([(await busy.ask('INVITE', sdp())).status, (await busy.ask('UPDATE')).status]).toEqual([491, 200]);
  expect((await someCall({ isClosed: true }).ask('INVITE', sdp())).status).toBe(481);
});

test('keys by INFO are pressed once each, whatever else is asked is answered', async () => {
  const { ask, pressed } = someCall();
  expect((await ask('INFO', 'Signal=5\r\nDuration=160', 'application/dtmf-relay')).status).toBe(200);
  expect((await ask('INFO', '#', 'application/dtmf')).status).toBe(200);
  expect((await ask('INFO', 'x', 'application/unheard-of')).status).toBe(200);
  expect((await ask('OPTIONS')).status).toBe(200);
  expect(pressed).toEqual(['5', '#']);
});
