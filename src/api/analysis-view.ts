// Owns: an analysis as the API shows it, and telling the event log of it. May import: core, the API's contract.
import type { Analyses } from '#core/analyses.ts';
import type { Analysis, OpenFinding } from '#core/analysis.ts';
import type { EventSink } from '#core/gateway-events.ts';
import type { Rooms } from '#core/rooms.ts';
import type { AnalysisResource } from './contract.ts';
import { sourceView } from './media-source-view.ts';
import { timeText } from './views.ts';

export function analysisView({ record, status, findings, levels, egress }: Analysis): AnalysisResource {
  const { createdAtMs, source, detectors, ...settings } = record;
  const { state, reason, message, atMs } = status;
  const job = egress?.job?.info;
  const { motion = null, momentaryLufs = null, shortTermLufs = null, integratedLufs = null, rangeLu = null } = levels;
  return {
    ...settings,
    source: sourceView(source),
    detectors: { ...detectors },
    createdAt: timeText(createdAtMs),
    ...{ state, reason, message, since: timeText(atMs) },
    findings: findings.map(({ detector, sinceMs, values }) => ({
      ...{ detector, since: timeText(sinceMs), values: { ...values } },
    })),
    levels: { motion, momentaryLufs, shortTermLufs, integratedLufs, rangeLu },
    jobId: job?.id ?? null,
    restarts: job?.restarts ?? 0,
  };
}

/** What begins, what is found, and what ends. */
export function tapAnalyses(analyses: Analyses, rooms: Rooms, sink: EventSink): void {
  const { events } = analyses;
  const roomOf = ({ record }: Analysis) => {
    const room = rooms.live(record.roomId);
    return room && { id: room.id, name: room.name };
  };
  const foundBy = ({ record }: Analysis, { detector, sinceMs, values }: OpenFinding) => {
    const { id: analysisId, name, source } = record;
    return { analysisId, name, source: sourceView(source), detector, startedAt: timeText(sinceMs), values };
  };
  events.on('started', (one) => sink.emit('analytics.started', { ...analysisView(one) }, roomOf(one)));
  events.on('changed', (one) => sink.emit('analytics.changed', { ...analysisView(one) }, roomOf(one)));
  events.on('stopped', (one) => sink.emit('analytics.stopped', { ...analysisView(one) }, roomOf(one)));
  events.on('detected', (one, finding) => sink.emit('analytics.detected', foundBy(one, finding), roomOf(one)));
  events.on('cleared', (one, finding, endedAtMs, reason) => {
    const span = { endedAt: timeText(endedAtMs), durationMs: Math.max(0, Math.round(endedAtMs - finding.sinceMs)) };
    sink.emit('analytics.cleared', { ...foundBy(one, finding), ...span, reason: reason ?? null }, roomOf(one));
  });
}
