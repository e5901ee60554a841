// Owns: what `switchyard doctor` says. Pure.

export interface Finding {
  readonly check: string;
  readonly verdict: 'ok' | 'warning' | 'failure';
  readonly detail: string;
  /** What to do, where something is to be done. */
  readonly advice?: string;
}

export const ok = (check: string, detail: string): Finding => ({ check, verdict: 'ok', detail });

export const warning = (check: string, detail: string, advice: string): Finding => {
  return { check, verdict: 'warning', detail, advice };
};

export const failure = (check: string, detail: string, advice: string): Finding => {
  return { check, verdict: 'failure', detail, advice };
};
