import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RequestData } from '#signalling/protocol.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { plainPng } from '../support/png.ts';
import { SignallingPeer } from '../support/signalling-peer.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway();
});

afterAll(() => gateway?.close());

async function joinAs(role: string): Promise<SignallingPeer> {
  const token = await gateway.token({ role, user: role });
  return (await SignallingPeer.join(gateway.webSocketUrl, { token })).peer;
}

const area = (left: string) => ({ left, top: '0', width: '1/3', height: '1' });
const thirds = [{ id: 'a', area: area('0') }, { id: 'b', area: area('1/3'), fitPolicy: 'crop' } as const];
const backgroundImage = plainPng(640, [200, 30, 30]).toString('base64');

test('what a moderator may say of a view by the API he may say over his connection, and it is kept', async () => {
  const peer = await joinAs('moderator');
  const look = { backgroundColor: '#102030', hasLabels: false, maxInputs: 2, isVoicePrimary: true };
  await peer.request('arrangeView', {
    ...{ view: 'common', layout: 'speaker', custom: [{ region: thirds }], fitPolicy: 'stretch', backgroundImage },
    ...look,
  });
  const read = () => gateway.api('GET', '/api/rooms/demo/views/common');
  const custom = [{ region: thirds.map((one) => ({ ...one, shape: 'rectangle' })) }];
  const layout = { base: 'speaker', custom, fitPolicy: 'stretch' };
  expect(await read()).toMatchObject({ ...look, layout, hasBackgroundImage: true });
  await peer.request('arrangeView', { view: 'common', custom: [], backgroundImage: null });
  const changed = { ...look, layout: { ...layout, custom: [] }, hasBackgroundImage: false };
  expect(await read()).toMatchObject(changed);
  const wrong: [Omit<RequestData<'arrangeView'>, 'view'>, string][] = [
    [{ backgroundColor: 'red' }, 'is #rrggbb'],
    [{ backgroundImage: 'aGVsbG8=' }, 'is a PNG or a JPEG'],
    [{ custom: [{ region: [{ id: 'a', area: area('3/4') }] }] }, 'reaches beyond the canvas'],
    [{ primary: 'TR_none' }, 'Nobody watches this view now'],
  ];
  for (const [arrangement, words] of wrong) {
    await expect(peer.request('arrangeView', { view: 'common', ...arrangement })).rejects.toThrow(words);
  }
  const viewer = await joinAs('viewer');
  await expect(viewer.request('arrangeView', { view: 'common', hasLabels: true })).rejects.toThrow('may not moderate');
  expect(await read()).toMatchObject(changed);
  for (const { socket } of [peer, viewer]) socket.close();
});
