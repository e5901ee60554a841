import { EventEmitter } from 'node:events';
import type { types } from 'mediasoup';
import { expect, test } from 'vitest';
import { LayerLimit } from './layer-limit.ts';
import { toSfuError } from './sfu-errors.ts';
import { Consumer, type ConsumerOptions, type RoomState } from './streams.ts';

const room: RoomState = { assertOpen: () => undefined, explain: toSfuError };

/** A stream that its worker has just made, and what it was told since. */
function made(options: Pick<ConsumerOptions, 'wanted' | 'applied' | 'limit'>) {
  const told: types.ConsumerLayers[] = [];
  const native = Object.assign(new EventEmitter(), {
    ...{ id: 'c', kind: 'video', type: 'simulcast', rtpParameters: { codecs: [] }, observer: new EventEmitter() },
    setPreferredLayers: async (layers: types.ConsumerLayers) => void told.push(layers),
  });
  new Consumer(native as never, room, { producerId: 'p', source: { closed: false }, mid: undefined, ...options });
  return told;
}

test('a stream that is made while the limit comes or goes is sent as the limit is then', () => {
  const limit = new LayerLimit();
  const before = limit.within(undefined);
  limit.set(0);
  expect(made({ wanted: undefined, applied: before, limit })).toEqual([{ spatialLayer: 0 }]);
  const limited = limit.within({ spatialLayer: 2 });
  expect(made({ wanted: { spatialLayer: 2 }, applied: limited, limit })).toEqual([]);
  limit.set(undefined);
  expect(made({ wanted: { spatialLayer: 2 }, applied: limited, limit })).toEqual([{ spatialLayer: 2 }]);
  expect(made({ wanted: undefined, applied: limited, limit })[0]?.spatialLayer).toBeGreaterThan(2);
});
