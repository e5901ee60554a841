import { expect, test } from 'vitest';
import type { EgressEvent } from '#core/egress-messages.ts';
import type { JobContext } from '../job-context.ts';
import { EgressPipeline } from './egress.ts';

function startPipeline(): { pipeline: EgressPipeline; told: EgressEvent[] } {
  const told: EgressEvent[] = [];
  const context = {
    id: 'JB_1',
    account: <T>(work: () => T) => work(),
    send: ({ event }: { event: EgressEvent }) => void told.push(event),
    report: () => undefined,
  };
  const live = { init: () => true, fragment: () => true };
  const tools = { openers: {}, live: live as never };
  const pipeline = new EgressPipeline({ context: context as never as JobContext, spec: { kind: 'egress' }, tools });
  pipeline.start();
  return { pipeline, told };
}

test('a sink that fails by itself says so once, is not kept, and the others go on', async () => {
  const { pipeline, told } = startPipeline();
  try {
    pipeline.command({ type: 'setEgressMedia', audio: {} });
    const live = { type: 'live', feed: 1, keyFrameIntervalMs: 1_000, needsVideo: false } as const;
    pipeline.command({ type: 'putEgressSink', sinkId: 1, sink: live, isPaused: false });
    // What AAC cannot be put into.
    const webm = { type: 'record', folder: '/nowhere', format: 'webm', audioCodec: 'aac', needsVideo: false } as const;
    pipeline.command({ type: 'putEgressSink', sinkId: 2, sink: webm, isPaused: false });
    const measured = () => told.findLast((event) => event.type === 'egressMeasured')?.sinks;
    await expect
      .poll(measured, { timeout: 5_000 })
      .toEqual([{ sinkId: 1, bytesOut: expect.toSatisfy((bytes: number) => bytes > 0) }]);
    const changes = told.filter((event) => event.type === 'egressSinkChanged');
    expect(changes.map(({ sinkId, state }) => `${sinkId} ${state}`).sort()).toEqual(['1 live', '2 failed']);
  } finally {
    pipeline.close();
  }
});
