import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test, vi } from 'vitest';
import { SipMessage } from '../message/message.ts';
import { parseMessage } from '../message/parse.ts';
import type { Flow } from '../transport/flow.ts';
import type { Target, TransportLayer } from '../transport/transport-layer.ts';
import { responseTo } from './responses.ts';
import type { ServerTransaction } from './server-transaction.ts';
import { defaultTimers } from './timers.ts';
import { TransactionLayer } from './transaction-layer.ts';

/** A flow that keeps what is sent, as start lines. */
function fakeFlow(protocol: 'udp' | 'tcp'): Flow & { sent: string[]; close(): void } {
  const listeners = new Set<() => void>();
  const sent: string[] = [];
  return {
    protocol,
    remoteAddress: '192.0.2.9',
    remotePort: 5060,
    localAddress: '192.0.2.1',
    localPort: 5060,
    isReliable: protocol !== 'udp',
    isOpen: true,
    sent,
    send: (bytes) => void sent.push(bytes.toString().split('\r\n')[0] ?? ''),
    whenClosed: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      for (const listener of listeners) listener();
    },
  };
}

let requests: { transaction: ServerTransaction; request: SipMessage }[] = [];
let acks = 0;
let cancels = 0;
let strays = 0;
let layer: TransactionLayer;

beforeEach(() => {
  vi.useFakeTimers();
  requests = [];
  acks = 0;
  cancels = 0;
  strays = 0;
  layer = new TransactionLayer(
    { timers: defaultTimers, maxServerTransactions: 10, forcesRport: true },
    {
      onRequest: (transaction, request) => void requests.push({ transaction, request }),
      onAck: () => void acks++,
      onCancel: () => void cancels++,
      onStrayResponse: () => void strays++,
    },
    { onMessage: () => undefined },
  );
});
afterEach(async () => {
  vi.useRealTimers();
  await layer.close();
});

function incoming(method: string, branch: string, more = '', cseq = 1): SipMessage {
  const text =
    `${method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${branch}\r\nFrom: <sip:x@y>;tag=f\r\nTo: <sip:a@b>\r\n` +
    `Call-ID: c1\r\nCSeq: ${cseq} ${method}\r\nMax-Forwards: 70\r\nContact: <sip:x@192.0.2.9>\r\n${more}\r\n`;
  const read = parseMessage(Buffer.from(text));
  assert.ok(read.ok);
  return read.message;
}

function answer(status: number): void {
  const last = requests.at(-1);
  assert.ok(last);
  last.transaction.respond(status, responseTo(last.request, status, 'X', 'tag').toBuffer());
}

describe('INVITE from the network', () => {
  test('a failure is repeated by timer G up to T2 and given up by timer H', () => {
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1'));
    answer(486);
    vi.advanceTimersByTime(500 + 1000 + 2000 + 4000 + 4000);
    assert.equal(flow.sent.length, 6);
    vi.advanceTimersByTime(32_000);
    assert.equal(layer.serverCount, 0);
  });

  test('its ACK ends the repetition, and timer I the transaction', () => {
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1'));
    answer(486);
    layer.onMessage(flow, incoming('ACK', '1'));
    vi.advanceTimersByTime(4999);
    assert.deepEqual([flow.sent.length, layer.serverCount, acks], [1, 1, 0]);
    vi.advanceTimersByTime(1);
    assert.equal(layer.serverCount, 0);
  });

  test('copies get the last response, and after a 2xx nothing for 64*T1 (RFC 6026)', () => {
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1'));
    answer(180);
    layer.onMessage(flow, incoming('INVITE', '1'));
    assert.equal(flow.sent.length, 2);
    answer(200);
    layer.onMessage(flow, incoming('INVITE', '1'));
    assert.deepEqual([flow.sent.length, requests.length], [3, 1]);
    vi.advanceTimersByTime(31_999);
    assert.equal(layer.serverCount, 1);
    vi.advanceTimersByTime(1);
    assert.equal(layer.serverCount, 0);
  });

  test('CANCEL is answered at once and its copies absorbed; without INVITE it is 481', () => {
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1'));
    layer.onMessage(flow, incoming('CANCEL', '1'));
    layer.onMessage(flow, incoming('CANCEL', '1'));
    assert.deepEqual([flow.sent, cancels], [['SIP/2.0 200 OK', 'SIP/2.0 200 OK'], 1]);
    layer.onMessage(flow, incoming('CANCEL', '2'));
    assert.match(flow.sent.at(-1) ?? '', /481/);
  });

  test('however many CANCELs come for nothing, none of them is kept', () => {
    const flow = fakeFlow('udp');
    for (let i = 0; i < 100; i++) layer.onMessage(flow, incoming('CANCEL', `c${i}`));
    assert.equal(layer.serverCount, 0);
    assert.deepEqual(new Set(flow.sent), new Set(['SIP/2.0 481 Call/Transaction Does Not Exist']));
    assert.deepEqual([flow.sent.length, cancels], [100, 0]);
  });

  test('the screen answers what it refuses and keeps nothing of it; what could not be answered is not answered', async () => {
    await layer.close();
    const asked: string[] = [];
    const user = { onRequest: () => assert.fail(), onAck: () => assert.fail() };
    layer = new TransactionLayer(
      {
        ...{ timers: defaultTimers, maxServerTransactions: 10, forcesRport: true },
        screen: ({ method, uri }) => {
          asked.push(`${method} ${uri}`);
          return { reason: 'Too "many".', retryAfterMs: 1_500 };
        },
      },
      { ...user, onCancel: () => assert.fail(), onStrayResponse: () => assert.fail() },
      { onMessage: () => undefined },
    );
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1'));
    layer.onMessage(flow, incoming('INVITE', '1').remove('via'));
    layer.onMessage(flow, incoming('REGISTER', '2'));
    layer.onMessage(flow, incoming('OPTIONS', '3'));
    assert.deepEqual([new Set(flow.sent), flow.sent.length], [new Set(['SIP/2.0 503 Service Unavailable']), 3]);
    assert.deepEqual([asked, layer.serverCount], [['INVITE sip:a@b', 'REGISTER sip:a@b', 'OPTIONS sip:a@b'], 0]);
  });

  test.each([
    [true, ';rport', 'source'],
    [true, '', 'source'],
    [false, ';rport', 'source'],
    [false, '', 'Via'],
  ])(
    'forcesRport %s: answers to a Via "…%s" go to the port of the %s, from a transaction as without one',
    async (forcesRport, rport, to) => {
      await layer.close();
      const transactions: ServerTransaction[] = [];
      layer = new TransactionLayer(
        { timers: defaultTimers, maxServerTransactions: 10, forcesRport },
        {
          onRequest: (transaction) => void transactions.push(transaction),
          onAck: () => undefined,
          onCancel: () => undefined,
          onStrayResponse: () => undefined,
        },
        { onMessage: () => undefined },
      );
      const source = { ...fakeFlow('udp'), remotePort: 33_333 };
      const named = fakeFlow('udp');
      const targets: string[] = [];
      layer.transports = {
        flowTo: ({ protocol, address, port }: Target) => {
          targets.push(`${protocol} ${address} ${port}`);
          return named;
        },
      } as unknown as TransportLayer;
      const request = (branch: string, method = 'OPTIONS') => {
        const message = incoming(method, branch, '', method === 'OPTIONS' ? 1 : 2);
        return message.set('via', `${message.get('via')}${rport}`);
      };
      layer.onMessage(source, request('1'));
      transactions[0]?.respond(200, responseTo(request('1'), 200, 'OK', 'tag').toBuffer());
      layer.onMessage(source, request('1'));
      layer.onMessage(source, request('2'));
      layer.onMessage(source, request('3', 'INVITE'));
      layer.onMessage(source, request('3', 'CANCEL'));
      const sent = ['SIP/2.0 200 OK', 'SIP/2.0 200 OK', 'SIP/2.0 482 Loop Detected', 'SIP/2.0 200 OK'];
      assert.deepEqual([source.sent, named.sent], to === 'source' ? [sent, []] : [[], sent]);
      assert.deepEqual(new Set(targets), new Set(to === 'source' ? [] : ['udp 192.0.2.9 5060']));
    },
  );

  test('the same call by another branch is 482; past the limit it is 503 without state', () => {
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1'));
    layer.onMessage(flow, incoming('INVITE', '2'));
    assert.match(flow.sent.at(-1) ?? '', /482/);
    for (let i = 0; i < 10; i++) layer.onMessage(flow, incoming('OPTIONS', `o${i}`, '', 100 + i));
    assert.match(flow.sent.at(-1) ?? '', /503/);
    assert.equal(layer.serverCount, 10);
  });

  test('Max-Forwards 0 is 483, an unknown Require 420', () => {
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1').set('max-forwards', '0'));
    layer.onMessage(flow, incoming('INVITE', '2').add('require', 'teleport'));
    assert.deepEqual(
      flow.sent.map((line) => line.slice(8, 11)),
      ['483', '420'],
    );
    assert.equal(requests.length, 0);
  });
});

describe('an INVITE that is to wait longer', () => {
  test('has a 100 without a To tag, and nothing is kept of it', () => {
    const flow = fakeFlow('udp');
    const whole: string[] = [];
    flow.send = (bytes) => void whole.push(bytes.toString());
    layer.onWaiting(flow, incoming('INVITE', '1', 'Timestamp: 7\r\n'));
    assert.match(whole[0] ?? '', /^SIP\/2\.0 100 Trying\r\n/);
    assert.match(whole[0] ?? '', /branch=z9hG4bK1/);
    assert.match(whole[0] ?? '', /\r\nTimestamp: 7\r\n/);
    assert.match(whole[0] ?? '', /\r\nTo: <sip:a@b>\r\n/);
    assert.deepEqual([whole.length, requests.length, layer.serverCount], [1, 0, 0]);
  });

  test('has none where it is a copy of one that was begun', () => {
    const flow = fakeFlow('udp');
    layer.onMessage(flow, incoming('INVITE', '1'));
    layer.onWaiting(flow, incoming('INVITE', '1'));
    assert.deepEqual([flow.sent, requests.length], [[], 1]);
  });
});

describe('an INVITE that waited too long', () => {
  const late = (flow: Flow, message: SipMessage) => layer.onLate(flow, message, message.toBuffer());

  test('is refused, and nothing is kept of it nor made of its ACK', () => {
    const flow = fakeFlow('udp');
    late(flow, incoming('INVITE', '1'));
    assert.deepEqual(flow.sent, ['SIP/2.0 503 Service Unavailable']);
    assert.deepEqual([requests.length, layer.serverCount], [0, 0]);
    assert.deepEqual([layer.counters.shed, layer.counters.late], [1, 1]);
    layer.onMessage(flow, incoming('ACK', '1').set('to', '<sip:a@b>;tag=scr-sl1'));
    assert.equal(acks, 0);
  });

  test('of a call that is on, or one that was begun already, goes on; so does a CANCEL', () => {
    const flow = fakeFlow('udp');
    late(flow, incoming('INVITE', '1').set('to', '<sip:a@b>;tag=t'));
    assert.equal(requests.length, 1);
    layer.onMessage(flow, incoming('INVITE', '2', '', 2));
    late(flow, incoming('INVITE', '2', '', 2));
    late(flow, incoming('CANCEL', '2', '', 2));
    assert.deepEqual([requests.length, cancels, layer.counters.shed], [2, 1, 0]);
  });
});

describe('other requests from the network', () => {
  test('over UDP the answer is kept for timer J, over TCP not at all', () => {
    const udp = fakeFlow('udp');
    layer.onMessage(udp, incoming('OPTIONS', '1'));
    answer(200);
    layer.onMessage(udp, incoming('OPTIONS', '1'));
    assert.deepEqual([udp.sent.length, requests.length], [2, 1]);
    vi.advanceTimersByTime(32_000);
    assert.equal(layer.serverCount, 0);
    const tcp = fakeFlow('tcp');
    layer.onMessage(tcp, incoming('OPTIONS', '3', '', 3));
    answer(200);
    assert.equal(layer.serverCount, 0);
  });
});

describe('requests of ours', () => {
  const heard: string[] = [];
  const user = {
    onResponse: (response: SipMessage) => void heard.push(String(response.status)),
    onFailure: (reason: string) => void heard.push(reason),
  };
  beforeEach(() => void heard.splice(0));

  function outgoing(method: string, flow: Flow): SipMessage {
    const request = SipMessage.request(method, 'sip:a@b');
    request.add('from', '<sip:x@y>;tag=f').add('to', '<sip:a@b>').add('call-id', 'c').add('cseq', `1 ${method}`);
    layer.request(request, flow, user);
    return request;
  }
  const reply = (request: SipMessage, status: number, tag = 't'): SipMessage => responseTo(request, status, 'X', tag);

  test('INVITE is repeated by timer A and given up by timer B', () => {
    const flow = fakeFlow('udp');
    outgoing('INVITE', flow);
    vi.advanceTimersByTime(31_999);
    assert.equal(flow.sent.length, 7);
    vi.advanceTimersByTime(1);
    assert.deepEqual([heard, layer.clientCount], [['timeout'], 0]);
  });

  test('others are repeated by timer E, each T2 at the most', () => {
    const flow = fakeFlow('udp');
    outgoing('OPTIONS', flow);
    vi.advanceTimersByTime(32_000);
    assert.equal(flow.sent.length, 11);
    assert.deepEqual(heard, ['timeout']);
  });

  test('over TCP nothing is repeated, and a connection that goes ends it', () => {
    const flow = fakeFlow('tcp');
    outgoing('INVITE', flow);
    vi.advanceTimersByTime(20_000);
    assert.equal(flow.sent.length, 1);
    flow.close();
    assert.deepEqual(heard, ['transport']);
  });

  test('a failure is acknowledged each time it comes, until timer D', () => {
    const flow = fakeFlow('udp');
    const request = outgoing('INVITE', flow);
    layer.onMessage(flow, reply(request, 180));
    layer.onMessage(flow, reply(request, 486));
    layer.onMessage(flow, reply(request, 486));
    assert.deepEqual(heard, ['180', '486']);
    assert.deepEqual(flow.sent.filter((line) => line.startsWith('ACK')).length, 2);
    vi.advanceTimersByTime(32_000);
    assert.equal(layer.clientCount, 0);
  });

  test('every 2xx of a forked INVITE is passed up until timer M', () => {
    const flow = fakeFlow('udp');
    const request = outgoing('INVITE', flow);
    for (const tag of ['one', 'two', 'one']) layer.onMessage(flow, reply(request, 200, tag));
    assert.deepEqual(heard, ['200', '200', '200']);
    vi.advanceTimersByTime(32_000);
    assert.equal(layer.clientCount, 0);
    assert.equal(flow.sent.length, 1, 'the ACK of a 2xx is not the transaction’s');
  });

  test('a ringing INVITE waits for ever, an answer to a branch that nobody used is dropped', () => {
    const flow = fakeFlow('udp');
    const request = outgoing('INVITE', flow);
    layer.onMessage(flow, reply(request, 180));
    vi.advanceTimersByTime(600_000);
    assert.equal(layer.clientCount, 1);
    const stranger = reply(request, 200).set('via', 'SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKnope');
    layer.onMessage(flow, stranger);
    assert.deepEqual([heard, strays], [['180'], 0]);
  });
});
