import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { watchTranscodes } from './transcode-metrics.ts';
import { watchViews } from './view-metrics.ts';

test('the first scrape has what is now, not what was at the one before', async () => {
  const registry = new Registry();
  const room = { name: 'desk' };
  const encoders = [{}, {}];
  const stats = { encoders, framerateHz: 30, msPerTick: 2, ticksSkipped: 0, inputsSeen: 1 };
  watchViews(registry, { running: [{ room, name: 'common', stats }] } as unknown as Parameters<typeof watchViews>[1]);
  const transcodes = { running: [{ room, sourceId: 'TR_1', stats }] };
  watchTranscodes(registry, transcodes as unknown as Parameters<typeof watchTranscodes>[1]);
  const text = await registry.metrics();
  expect(text).toContain('switchyard_view_encoders{room="desk",view="common"} 2');
  expect(text).toContain('switchyard_transcode_encoders{room="desk",stream="TR_1"} 2');
});
