// Owns: what an analysis looks for and finds, in words. Pure.
import type { AnalysisResource, EventResource } from '#api/contract.ts';
import { durationText } from './figures.ts';

export type DetectorName = AnalysisResource['findings'][number]['detector'];

export const detectorWords: Record<DetectorName, string> = {
  black: 'Black picture',
  freeze: 'Frozen picture',
  scene: 'Change of scene',
  motion: 'Motion',
  silence: 'Silence',
  loudness: 'Loudness out of bounds',
};

/** Of what something was judged by; unknown names stay as they are. */
const valueUnits: Readonly<Record<string, string>> = {
  shortTermLufs: ' LUFS',
  score: ' %',
  difference: ' of 255',
};

const isDetector = (name: string): name is DetectorName => Object.hasOwn(detectorWords, name);

export function detectorsOf({ detectors }: Pick<AnalysisResource, 'detectors'>): string[] {
  const wanted = Object.entries(detectors).filter(([, settings]) => settings !== undefined);
  return wanted.map(([name]) => (isDetector(name) ? detectorWords[name] : name));
}

export function valuesText(values: Readonly<Record<string, number>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${value.toFixed(1)}${valueUnits[name] ?? ''}`)
    .join(', ');
}

/** LUFS without the unit; silence has none. */
export function decibelText(value: number | null): string {
  return value === null ? '–' : value.toFixed(1);
}

/** `Silence in Gate`, `Silence in Gate is over after 7 s`. */
export function findingText({ type, data }: Pick<EventResource, 'type' | 'data'>): string {
  const { detector, name, durationMs, reason, values } = data;
  const what = isDetector(String(detector)) ? detectorWords[detector as DetectorName] : String(detector);
  const measured = valuesText((values ?? {}) as Record<string, number>);
  const found = `${what} in ${String(name)}`;
  if (type === 'analytics.detected') return measured ? `${found}: ${measured}` : found;
  if (reason === 'interrupted') return `${found}: not looked at any longer`;
  return `${found} is over after ${durationText(Number(durationMs))}`;
}
