// Owns: the table of what can take the media of an egress. Another kind of sink is another line here.
// May import: core's words, its neighbours.
import type { EgressSinkSpec, RecodeSpec } from '#core/egress-messages.ts';
import { recordCodecs } from '#core/record-sink.ts';
import type { LiveOutlet } from '../live-pipe.ts';
import { AnalysisSink } from './analysis-sink.ts';
import type { EgressSound } from './audio-line.ts';
import { LiveSink } from './live-sink.ts';
import { PlaySink } from './play-sink.ts';
import type { PushOpener } from './push-connection.ts';
import { noOpener, PushSink } from './push-sink.ts';
import { RecordSink } from './record.ts';
import { type EgressCodec, type EgressSink, egressCodecs } from './sink.ts';

export interface SinkTools {
  /** By protocol. */
  readonly openers: Readonly<Record<string, PushOpener>>;
  /** To the control process. */
  readonly live: LiveOutlet;
  /** On the job's clock, as units are. */
  readonly nowUs: () => number;
}

export interface SinkFormats {
  /** Codecs that it can take. */
  readonly video: readonly EgressCodec[];
  /** The first is made for it. */
  readonly audio: readonly EgressSound[];
  /** The pictures are made anew for it. */
  readonly recode?: RecodeSpec | undefined;
}

export interface MadeSink {
  readonly sink: EgressSink;
  readonly takes: SinkFormats;
  /** What it takes once the other side has not taken that. */
  readonly fallback?: SinkFormats | undefined;
}

type SinkMakers = {
  readonly [Type in EgressSinkSpec['type']]: (
    spec: Extract<EgressSinkSpec, { type: Type }>,
    tools: SinkTools,
  ) => MadeSink;
};

const sinkMakers: SinkMakers = {
  push: ({ protocol, options, audioCodec, recode, hasFallback = false }, { openers }) => ({
    sink: new PushSink({ open: openers[protocol] ?? noOpener, options, hasFallback }),
    takes: { video: ['h264', 'h265', 'vp8', 'vp9', 'av1'], audio: [audioCodec], recode },
    fallback: hasFallback ? { video: ['h264'], audio: ['aac'] } : undefined,
  }),
  live: (spec, { live }) => ({
    sink: new LiveSink({ ...spec, outlet: live }),
    takes: { video: ['h264', 'h265', 'vp9', 'av1'], audio: ['aac'] },
  }),
  play: (spec, { live }) => ({
    sink: new PlaySink({ ...spec, outlet: live }),
    takes: { video: ['h264'], audio: [spec.audioCodec] },
  }),
  analyse: (spec) => ({
    sink: new AnalysisSink(spec),
    takes: { video: ['h264', 'h265', 'vp8', 'vp9', 'av1'], audio: ['opus'] },
  }),
  record: (spec, { nowUs }) => ({
    sink: new RecordSink(spec, nowUs),
    takes: {
      video: egressCodecs.filter((codec) => recordCodecs[spec.format].includes(codec)),
      audio: [spec.audioCodec],
    },
  }),
};

export function makeSink(spec: EgressSinkSpec, tools: SinkTools): MadeSink {
  const make = sinkMakers[spec.type] as (spec: EgressSinkSpec, tools: SinkTools) => MadeSink;
  return make(spec, tools);
}
