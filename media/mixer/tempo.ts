// Owns: how fast a view goes under load: its rate gives way, in steps, and comes back. Pure. May import: nothing.

/** Parts of the view's own rate; at the last one 30 become 7.5, which still is no slide show. */
export const tempoSteps = [1, 2 / 3, 1 / 2, 1 / 3, 1 / 4] as const;

export interface TempoState {
  /** Index into the steps. */
  readonly step: number;
  /** Seconds in a row in which the next faster step would have fitted. */
  readonly easySeconds: number;
}

export interface TempoReading {
  /** 0..1, how much of the last second the process was at work. */
  readonly utilization: number;
  /** 0..1, of the ticks of the last second. */
  readonly skippedShare: number;
}

const tooBusy = 0.95;
const tooManySkipped = 0.1;
const easy = 0.7;
const patienceSeconds = 4;

/**
 * Of a view's ticks those that it had no time for. Where its process rested for long, one thing held it up, or the machine:
 * with fewer pictures the next such moment leaves a longer gap, and one missed of seven would make it slower still.
 */
export function missedShare(ticks: number, skipped: number, utilization: number): number {
  return utilization > easy ? skipped / Math.max(1, ticks + skipped) : 0;
}

export const initialTempo: TempoState = { step: 0, easySeconds: 0 };

/** Once a second: slower at once, faster after a while. */
export function nextTempo({ step, easySeconds }: TempoState, reading: TempoReading): TempoState {
  const slowest = tempoSteps.length - 1;
  if (reading.utilization > tooBusy || reading.skippedShare > tooManySkipped) {
    return { step: Math.min(slowest, step + 1), easySeconds: 0 };
  }
  if (step === 0) return initialTempo;
  const faster = (tempoSteps[step - 1] ?? 1) / (tempoSteps[step] ?? 1);
  if (reading.utilization * faster > easy) return { step, easySeconds: 0 };
  return easySeconds + 1 >= patienceSeconds
    ? { step: step - 1, easySeconds: 0 }
    : { step, easySeconds: easySeconds + 1 };
}
