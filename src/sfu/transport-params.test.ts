import { expect, test } from 'vitest';
import { checkDataText, checkDtlsParameters, checkSctpStreamParameters, checkVideoLayers } from './transport-params.ts';

const sha256 = Array.from({ length: 32 }, () => 'ab').join(':');
const refusal = expect.objectContaining({ code: 'invalid_request' });

test('a fingerprint passes in the capitals that the worker compares by', () => {
  expect(checkDtlsParameters({ fingerprints: [{ algorithm: 'SHA-256', value: sha256 }] })).toEqual({
    role: 'auto',
    fingerprints: [{ algorithm: 'sha-256', value: sha256.toUpperCase() }],
  });
});

test.each<[string, unknown]>([
  ['nothing', null],
  ['no fingerprint', { fingerprints: [] }],
  ['an unknown digest', { fingerprints: [{ algorithm: 'md5', value: 'ab' }] }],
  ['a digest that is too short', { fingerprints: [{ algorithm: 'sha-256', value: 'ab:cd' }] }],
  ['a digest that is no hex', { fingerprints: [{ algorithm: 'sha-1', value: 'x'.repeat(59) }] }],
  ['an unknown role', { role: 'boss', fingerprints: [{ algorithm: 'sha-256', value: sha256 }] }],
])('DTLS parameters that are or have %s are refused', (_, parameters) => {
  expect(() => checkDtlsParameters(parameters)).toThrow(refusal);
});

test.each<[unknown, object]>([
  [{ streamId: 0 }, { streamId: 0, ordered: true }],
  [
    { streamId: 7, ordered: false },
    { streamId: 7, ordered: false },
  ],
  // mediasoup has no order with limited reliability.
  [
    { streamId: 7, ordered: true, maxRetransmits: 0 },
    { streamId: 7, ordered: false, maxRetransmits: 0 },
  ],
  [
    { streamId: 7, maxPacketLifeTime: 500 },
    { streamId: 7, ordered: false, maxPacketLifeTime: 500 },
  ],
])('the data stream %j becomes %j', (parameters, expected) => {
  expect(checkSctpStreamParameters(parameters)).toEqual(expected);
});

test.each([{}, { streamId: 65_535 }, { streamId: '1' }, { streamId: 1, maxRetransmits: 1, maxPacketLifeTime: 1 }])(
  'the data stream %j is refused',
  (parameters) => {
    expect(() => checkSctpStreamParameters(parameters)).toThrow(refusal);
  },
);

test('layers and labels are bounded', () => {
  expect(checkVideoLayers({ spatialLayer: 2, temporalLayer: null })).toEqual({
    spatialLayer: 2,
    temporalLayer: undefined,
  });
  expect(() => checkVideoLayers({ spatialLayer: 1.5 })).toThrow(refusal);
  expect(checkDataText('', 'label')).toBe('');
  expect(() => checkDataText('x'.repeat(5_000), 'label')).toThrow(refusal);
});
