// Owns: what is taken out of a room, as the API names it. Pure. May import: core, the API's contract.
import type { EgressSource } from '#core/egress-source.ts';
import type { MediaSourceResource } from './contract.ts';

export function sourceView(source: EgressSource): MediaSourceResource {
  switch (source.kind) {
    case 'view':
      return { view: source.view };
    case 'participant':
      return { participant: source.participant };
    case 'stream':
      return { stream: source.stream };
    case 'mix':
      return { mix: true };
  }
}

export function sourceOf(source: MediaSourceResource): EgressSource {
  if ('view' in source) return { kind: 'view', view: source.view };
  if ('participant' in source) return { kind: 'participant', participant: source.participant };
  return 'stream' in source ? { kind: 'stream', stream: source.stream } : { kind: 'mix' };
}
