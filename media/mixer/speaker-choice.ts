// Owns: who is heard: the loudest few, without flapping. Pure.

export interface Candidate {
  /** dBov of the last 20 ms. */
  readonly levelDbov: number;
  /** Kept here for the next choice: dBov that falls slowly. */
  score: number;
  isChosen: boolean;
  /** Steps for which it stays although it has fallen silent: the ends of words and the breath between them. */
  holdSteps: number;
}

/** What counts as a voice; phones in quiet rooms hiss at -70, speech is above -45. */
export const speechDbov = -55;
/** Of 20 ms each. */
const holdSteps = 15;
const fallPerStep = 1;
/** Who is heard is left only for somebody so much louder. */
const advantageDb = 6;

/** Marks the `count` loudest of those that speak; costs nothing for those that do not. */
export function chooseSpeakers<T extends Candidate>(candidates: readonly T[], count: number): T[] {
  const speaking: T[] = [];
  for (const candidate of candidates) {
    const isVoice = candidate.levelDbov > speechDbov;
    candidate.score = Math.max(candidate.levelDbov, candidate.score - fallPerStep);
    if (isVoice) candidate.holdSteps = holdSteps;
    else if (candidate.holdSteps > 0) candidate.holdSteps -= 1;
    if (isVoice || (candidate.isChosen && candidate.holdSteps > 0)) speaking.push(candidate);
    else candidate.isChosen = false;
  }
  const chosen = speaking.length > count ? loudestOf(speaking, count) : speaking;
  for (const candidate of chosen) candidate.isChosen = true;
  return chosen;
}

const rankOf = ({ score, isChosen }: Candidate): number => score + (isChosen ? advantageDb : 0);

/** Loudest first, the others marked as not chosen. Few out of hundreds, in each beat: all in order would be of no use. */
function loudestOf<T extends Candidate>(speaking: readonly T[], count: number): T[] {
  const best: T[] = [];
  for (const candidate of speaking) {
    const rank = rankOf(candidate);
    let at = best.length;
    while (at > 0 && rankOf(best[at - 1] as T) < rank) at -= 1;
    if (at < count) best.splice(at, 0, candidate);
    else candidate.isChosen = false;
    if (best.length > count) (best.pop() as T).isChosen = false;
  }
  return best;
}
