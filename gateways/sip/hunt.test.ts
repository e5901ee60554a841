import { expect, test, vi } from 'vitest';
import type { SipDialog } from './dialog.ts';
import { hunt } from './hunt.ts';
import type { CallOptions, CallOutcome } from './outbound-call.ts';

const answerOf = (status: number) => ({ status, reason: `R${status}`, body: '', header: () => undefined });
const refused = (status: number): CallOutcome => ({ kind: 'refused', answer: answerOf(status) });

/** What a place does with a call; `hungUp` has those that were answered and not wanted any more. */
type Place = (call: CallOptions, cancelled: Promise<void>) => CallOutcome | Promise<CallOutcome>;

function network(places: Readonly<Record<string, Place>>) {
  const called: string[] = [];
  const cancelled: string[] = [];
  const hungUp: string[] = [];
  const call = (uri: string, options: CallOptions) => {
    called.push(uri);
    const giveUp = Promise.withResolvers<void>();
    const outcome = Promise.resolve(places[uri]?.(options, giveUp.promise) ?? refused(404));
    return {
      outcome,
      cancel: () => {
        cancelled.push(uri);
        giveUp.resolve();
      },
    };
  };
  const answers =
    (name: string): Place =>
    (options) => {
      const dialog = { remoteUri: name, bye: async () => void hungUp.push(name) } as unknown as SipDialog;
      options.onDialog?.(dialog);
      return { kind: 'answered', dialog };
    };
  return { link: { call }, called, cancelled, hungUp, answers };
}

const targets = ['a', 'b', 'c'].map((uri) => ({ uri, host: uri }));
const whoOf = (outcome: CallOutcome) =>
  outcome.kind === 'answered' ? outcome.dialog.remoteUri : outcome.answer.status;

test('what cannot is followed by the next, each is told of, and the first that can has the call', async () => {
  const results: [string, string | undefined][] = [];
  const places = { a: () => refused(503), b: () => Promise.reject(new Error('no way')), c: network({}).answers('c') };
  const { link, called } = network(places);
  const outcome = await hunt(link, { targets, onResult: (...result) => results.push(result) }, {}).outcome;
  expect([whoOf(outcome), called]).toEqual(['c', ['a', 'b', 'c']]);
  expect(results).toEqual([
    ['a', '503 R503'],
    ['b', 'cannot be reached: no way'],
    ['c', undefined],
  ]);
});

test.each([486, 404, 403, 603])('a %d is final: it is what a person or a PBX says', async (status) => {
  const { link, called } = network({ a: () => refused(status) });
  expect(whoOf(await hunt(link, { targets }, {}).outcome)).toBe(status);
  expect(called).toEqual(['a']);
});

test.each([
  [180, 408, ['a']],
  [182, 503, ['a']],
  [183, 503, ['a', 'b']],
])('after %d a %d leads to %j: nobody is rung twice by two ways', async (progress, status, ways) => {
  const results: [string, string | undefined][] = [];
  const place: Place = ({ onProgress }) => {
    onProgress?.(answerOf(progress));
    return refused(status);
  };
  const { link, called } = network({ a: place, b: () => refused(486) });
  await hunt(link, { targets, onResult: (...result) => results.push(result) }, {}).outcome;
  expect(called).toEqual(ways);
  // A host whose phone rings is there.
  expect(results[0]?.[1] === undefined).toBe(ways.length === 1);
});

test('a place that says nothing is given up, and hung up should it answer after all', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const late = Promise.withResolvers<CallOutcome>();
    let lateCall: CallOptions | undefined;
    const net = network({
      a: (options) => {
        lateCall = options;
        return late.promise;
      },
      b: () => refused(486),
    });
    const given = hunt(net.link, { targets, noAnswerMs: 700 }, {});
    vi.advanceTimersByTime(699);
    expect(net.called).toEqual(['a']);
    vi.advanceTimersByTime(1);
    expect([whoOf(await given.outcome), net.called, net.cancelled]).toEqual([486, ['a', 'b'], ['a']]);
    await net.answers('a')(lateCall as CallOptions, Promise.resolve());
    expect(net.hungUp).toEqual(['a']);
  } finally {
    vi.useRealTimers();
  }
});

test('who gives up is not called for by the next place', async () => {
  const { link, called } = network({ a: (_call, cancelled) => cancelled.then(() => refused(503)) });
  const call = hunt(link, { targets }, {});
  call.cancel();
  expect([whoOf(await call.outcome), called]).toEqual([503, ['a']]);
});

test('of phones that ring together the first that answers has the call, and the others stop ringing', async () => {
  const waits: Place = (_call, cancelled) => cancelled.then(() => refused(487));
  const { answers } = network({});
  const { link, cancelled } = network({ a: waits, b: answers('b'), c: waits });
  expect(whoOf(await hunt(link, { targets, isTogether: true }, {}).outcome)).toBe('b');
  expect(cancelled).toContain('a');
});

test('where none of them answers, a person who declines counts more than one who is busy, and than a network that cannot', async () => {
  const of = async (...statuses: number[]) => {
    const places = Object.fromEntries(targets.map(({ uri }, i) => [uri, () => refused(statuses[i] ?? 404)]));
    return whoOf(await hunt(network(places).link, { targets, isTogether: true }, {}).outcome);
  };
  expect([await of(503, 486, 408), await of(486, 603, 503), await of(408, 503, 404)]).toEqual([486, 603, 404]);
});
