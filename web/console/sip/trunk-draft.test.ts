import { expect, test } from 'vitest';
import type { SipTrunk } from '#api/contract.ts';
import { draftOfTrunk, emptyTrunk, inputOfTrunk, patchOfTrunk } from './trunk-draft.ts';
import { trunkPresets, withPreset } from './trunk-presets.ts';

const status = {
  state: 'up',
  since: null,
  lastError: null,
  lastErrorAt: null,
  inboundCalls: 0,
  outboundCalls: 0,
} as const;

const trunk: SipTrunk = {
  ...{ id: 'TK_1', name: 'carrier', isEnabled: true, createdAt: '2026-01-01T00:00:00.000Z' },
  inbound: {
    addresses: ['192.0.2.0/24', '2001:db8::/32'],
    username: 'them',
    hasPassword: true,
    maxCalls: 30,
    record: true,
    numberIn: 'to',
  },
  outbound: {
    ...{ hosts: ['a.example', 'b.example:5080'], transport: 'tls', username: 'us', hasPassword: true },
    ...{ registration: {}, callerId: { number: '+49301', header: 'p-asserted-identity' }, keepAliveSec: 0 },
    record: { sound: 'mixed', format: 'ogg' },
  },
  media: { server: null, codecs: ['g722', 'pcma'], srtp: 'require' },
  headers: { attributes: ['X-Customer'], allowed: [] },
  status: { ...status, registration: null, hosts: [] },
};

test('a trunk that is saved as it was read stays as it was, its passwords unsaid', () => {
  const input = inputOfTrunk(draftOfTrunk(trunk));
  expect(input).toEqual({
    ...{ name: 'carrier', isEnabled: true },
    inbound: {
      addresses: ['192.0.2.0/24', '2001:db8::/32'],
      username: 'them',
      maxCalls: 30,
      record: true,
      numberIn: 'to',
    },
    outbound: {
      ...{ hosts: ['a.example', 'b.example:5080'], transport: 'tls', username: 'us' },
      ...{ registration: {}, callerId: { number: '+49301', header: 'p-asserted-identity' }, keepAliveSec: 0 },
      record: { sound: 'mixed', format: 'ogg' },
    },
    media: { codecs: ['g722', 'pcma'], srtp: 'require' },
    headers: { attributes: ['X-Customer'] },
  });
});

test('what is emptied is taken away, and a side that is turned off goes whole', () => {
  const draft = draftOfTrunk(trunk);
  const inbound = { ...draft.inbound, username: ' ', maxCalls: '', password: 'new', record: null, numberIn: '' };
  const patch = patchOfTrunk({ ...draft, inbound, hasOutbound: false, codecs: '', srtp: '' });
  expect(patch).toMatchObject({
    inbound: { username: null, maxCalls: null, password: 'new', record: null, numberIn: null },
    outbound: null,
  });
  expect(patch.media).toEqual({ server: null, codecs: null, srtp: null });
});

test('an empty form says nothing that the API does not need', () => {
  expect(inputOfTrunk(emptyTrunk)).toEqual({
    ...{ name: '', isEnabled: true, inbound: {}, outbound: { hosts: [], callerId: {} } },
    ...{ media: {}, headers: {} },
  });
});

test.each(trunkPresets.map((preset) => [preset.id, preset] as const))('the preset %s keeps the name', (_, preset) => {
  const draft = withPreset({ ...emptyTrunk, name: 'mine' }, preset);
  expect(draft.name).toBe('mine');
  expect(draft.hasInbound || draft.hasOutbound).toBe(true);
});
