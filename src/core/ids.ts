// Owns: identifiers that carry their kind, so that a room's id cannot be passed for a participant's.
import { randomFillSync } from 'node:crypto';

declare const brand: unique symbol;
type Branded<Kind extends string> = string & { readonly [brand]: Kind };

export type RoomId = Branded<'room'>;
export type ParticipantId = Branded<'participant'>;
export type PublicationId = Branded<'publication'>;
export type SubscriptionId = Branded<'subscription'>;
export type JobId = Branded<'job'>;
export type IngressId = Branded<'ingress'>;
export type EgressId = Branded<'egress'>;
export type StreamKeyId = Branded<'stream key'>;
export type RecordingId = Branded<'recording'>;
export type NodeId = Branded<'node'>;
export type AnalysisId = Branded<'analysis'>;
export type BridgeId = Branded<'bridge'>;

const alphabet = '0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

const randomPool = Buffer.alloc(4_096);
let used = randomPool.length;

/** One call of the system for hundreds of ids. */
function randomByte(): number {
  if (used === randomPool.length) {
    randomFillSync(randomPool);
    used = 0;
  }
  const byte = randomPool[used] ?? 0;
  // What became part of an id is not left lying about.
  randomPool[used++] = 0;
  return byte;
}

/** Random text of `length` characters without look-alikes (no I, O, l); about 5.8 bits each. */
export function randomText(length: number): string {
  let text = '';
  while (text.length < length) {
    const byte = randomByte();
    // 59 letters do not divide 256: bytes past the last whole multiple are dropped, so that no letter is likelier.
    if (byte < 236) text += alphabet[byte % alphabet.length];
  }
  return text;
}

export const roomIdStart = 'RM_';
export const newRoomId = (): RoomId => `${roomIdStart}${randomText(12)}` as RoomId;
export const newParticipantId = (): ParticipantId => `PA_${randomText(12)}` as ParticipantId;
export const newPublicationId = (): PublicationId => `TR_${randomText(12)}` as PublicationId;
export const newSubscriptionId = (): SubscriptionId => `SU_${randomText(12)}` as SubscriptionId;
export const newJobId = (): JobId => `JB_${randomText(12)}` as JobId;
export const newIngressId = (): IngressId => `IN_${randomText(12)}` as IngressId;
export const newEgressId = (): EgressId => `EG_${randomText(12)}` as EgressId;
export const newRecordingId = (): RecordingId => `RC_${randomText(12)}` as RecordingId;
export const newNodeId = (): NodeId => `ND_${randomText(12)}` as NodeId;
export const newAnalysisId = (): AnalysisId => `AN_${randomText(12)}` as AnalysisId;
export const newBridgeId = (): BridgeId => `BR_${randomText(12)}` as BridgeId;
export const newStreamKeyId = (): StreamKeyId => `SK_${randomText(12)}` as StreamKeyId;

/** Room names are addresses too (`/r/{name}`, `sip:{name}@host`), so they keep to unreserved characters. */
export const roomNamePattern = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,63}$/;
