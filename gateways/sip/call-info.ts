// Owns: a call as the API and its record show it.
import { type CallInfo, newCallId } from '#core/call.ts';
import type { CallEntrance } from './call-entrance.ts';
import type { CallMedia } from './call-media.ts';
import type { SipCallOptions } from './call-options.ts';
import type { CallPresence } from './call-presence.ts';

const maxKeptDigits = 64;

type Told = 'id' | 'state' | 'sipCallId' | 'startedAtMs' | 'answeredAtMs' | 'endedAtMs' | 'end' | 'digits' | 'transfer';

/** What has happened to it until now. */
export class CallFacts implements Pick<CallInfo, Told> {
  readonly id = newCallId();
  readonly startedAtMs = Date.now();
  state: CallInfo['state'];
  sipCallId: CallInfo['sipCallId'];
  answeredAtMs: CallInfo['answeredAtMs'];
  endedAtMs: CallInfo['endedAtMs'];
  end: CallInfo['end'];
  transfer: CallInfo['transfer'];
  digits = '';
  isRecorded = false;
  recordingIds: readonly string[] = [];
  recordingProblem: CallInfo['recordingProblem'];

  constructor({ direction, sipCallId }: Pick<SipCallOptions, 'direction' | 'sipCallId'>) {
    this.state = direction === 'inbound' ? 'ringing' : 'dialing';
    this.sipCallId = sipCallId;
  }

  noteRecorded(isRecorded: boolean, recordingId: string): void {
    this.isRecorded = isRecorded;
    if (!this.recordingIds.includes(recordingId)) this.recordingIds = [...this.recordingIds, recordingId];
  }

  noteDigit(digit: string): void {
    this.digits = (this.digits + digit).slice(-maxKeptDigits);
  }
}

export interface CallParts {
  readonly options: SipCallOptions;
  readonly presence: CallPresence;
  readonly entrance: CallEntrance;
  readonly media: CallMedia | undefined;
  readonly isClosed: boolean;
}

export function infoOf(facts: CallFacts, { options, presence, entrance, media, isClosed }: CallParts): CallInfo {
  const { direction, from, to, displayName, trunk, account, diversions, calledFor } = options;
  const { participantId, parked } = presence;
  // In a menu it is in no room yet.
  const room = entrance.isChoosing ? undefined : presence.room;
  const leg = media?.leg;
  return {
    ...facts,
    ...{ direction, from, to, displayName, roomId: room?.id, roomName: room?.name },
    trunk: trunk && { id: trunk.id, name: trunk.name },
    account: account?.username,
    ...{ diversions, participantId, parked, calledFor },
    ...{ isMuted: leg?.isMuted ?? false, isHeld: leg?.isHeld ?? false, gainDb: leg?.gainDb ?? 0 },
    isHeldByPeer: !isClosed && (media?.isHeldByPeer ?? false),
    isEncrypted: media?.isEncrypted ?? false,
    ...{ codec: media?.codec, mediaServer: media?.server },
    ...{ stats: leg?.stats, video: media?.video?.info },
    menu: entrance.steps,
  };
}
