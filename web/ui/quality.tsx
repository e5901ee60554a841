// Owns: the bars that say how good a connection is. May import: types of the signalling protocol.
import type { ParticipantInfo } from '#signalling/protocol.ts';

const words: Record<ParticipantInfo['quality'], string> = {
  good: 'Good connection',
  fair: 'Fair connection',
  poor: 'Poor connection',
  lost: 'Connection lost',
};

export function Quality({ value, detail }: { value: ParticipantInfo['quality']; detail?: string }) {
  const text = detail ? `${words[value]} · ${detail}` : words[value];
  return (
    <span class={`quality ${value}`} role="img" aria-label={words[value]} title={text} data-quality={value}>
      <i />
      <i />
      <i />
    </span>
  );
}
