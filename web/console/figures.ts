// Owns: numbers as people read them, and sums over a room's counters. Pure.
import type { RoomStats } from '#api/contract.ts';

export interface ParticipantFigures {
  /** bit/s from it to the server. */
  readonly receivedBps: number;
  /** bit/s from the server to it. */
  readonly sentBps: number;
  /** 0..1, the worst of its streams, both ways. */
  readonly fractionLost: number;
  /** The worst of what it sends. */
  readonly jitterMs: number | undefined;
  readonly roundTripTimeMs: number | undefined;
  readonly path: string | undefined;
}

/** @returns undefined for somebody who has not been measured */
export function figuresOf(stats: RoomStats, participantId: string): ParticipantFigures | undefined {
  const transport = stats.participants.find(({ id }) => id === participantId);
  if (!transport) return undefined;
  const published = stats.streams
    .filter((stream) => stream.participantId === participantId)
    .flatMap(({ encodings }) => encodings);
  const received = stats.streams
    .flatMap(({ subscriptions }) => subscriptions)
    .filter((subscription) => subscription.participantId === participantId && subscription.isFlowing);
  const roundTrips = [...published, ...received].flatMap(({ roundTripTimeMs }) => roundTripTimeMs ?? []);
  return {
    receivedBps: transport.receivedBitrateBps,
    sentBps: transport.sentBitrateBps,
    fractionLost: Math.max(0, ...[...published, ...received].map(({ fractionLost }) => fractionLost)),
    jitterMs: published.length > 0 ? Math.max(...published.map(({ jitterMs }) => jitterMs)) : undefined,
    roundTripTimeMs: roundTrips.length > 0 ? Math.max(...roundTrips) : undefined,
    path: transport.protocol?.toUpperCase(),
  };
}

/** Sum over the encodings that are sent. */
export function streamBitrate(stats: RoomStats, streamId: string): number {
  const stream = stats.streams.find(({ id }) => id === streamId);
  return stream?.encodings.reduce((sum, { bitrateBps }) => sum + bitrateBps, 0) ?? 0;
}

export function bitrateText(bps: number): string {
  if (bps >= 1_000_000) return `${(bps / 1_000_000).toFixed(1)} Mbit/s`;
  return `${Math.round(bps / 1_000)} kbit/s`;
}

export function percentText(fraction: number): string {
  return `${(fraction * 100).toFixed(fraction > 0 && fraction < 0.1 ? 1 : 0)} %`;
}

export function millisecondsText(ms: number | undefined): string {
  return ms === undefined ? '–' : `${Math.round(ms)} ms`;
}

export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value.toFixed(value < 10 && unit > 0 ? 1 : 0)} ${units[unit]}`;
}

/** The two largest units: `3 d 4 h`. */
export function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

export function timeText(time: string | null): string {
  return time === null ? 'never' : new Date(time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}
