// Owns: the words for where media is taken from in a room. Pure.
import type { AnalysisResource } from '#api/contract.ts';

type MediaSource = AnalysisResource['source'];

export function sourceWords(source: MediaSource): string {
  if ('view' in source) return `View ${source.view}`;
  if ('participant' in source) return `Participant ${source.participant}`;
  return 'stream' in source ? `Stream ${source.stream}` : 'Sound of everybody';
}

/** @param choice `view`, `mix` or the id of a participant */
export function sourceOf(choice: string): { source: MediaSource } {
  if (choice === 'view') return { source: { view: 'common' } };
  return { source: choice === 'mix' ? { mix: true } : { participant: choice } };
}
