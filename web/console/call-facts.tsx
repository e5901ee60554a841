// Owns: all that is known of one call. May import: API contract (types) and its siblings.
import type { SipCallResource } from '#api/contract.ts';
import {
  blameWords,
  codecText,
  enderWords,
  lengthText,
  lossText,
  menuText,
  qualityText,
  recordedText,
  stateText,
} from './call-words.ts';
import { millisecondsText, timeText } from './figures.ts';

export function CallFacts({ call }: { call: SipCallResource }) {
  return (
    <dl class="call-facts" data-testid="call-facts">
      {[...partiesOf(call), ...courseOf(call), ...figuresOf(call)].map(
        ([name, value]) =>
          value && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

type Fact = readonly [name: string, value: string | null | undefined | false];

function partiesOf({ from, to, trunk, account, diversions }: SipCallResource): Fact[] {
  return [
    ['From', from],
    ['To', to],
    ['Trunk', trunk?.name],
    ['Account', account],
    ['Sent on from', diversions.map(({ uri, reason }) => `${uri} (${reason})`).join(', ')],
  ];
}

function courseOf(call: SipCallResource): Fact[] {
  const { end, startedAt, transfer, parked, digits, sipCallId } = call;
  const status = end?.sipStatus == null ? '' : `, SIP ${end.sipStatus}`;
  return [
    ['State', stateText(call)],
    ['Ended by', end && `${enderWords[end.by]} (${end.reason}${status})`],
    ['Fault of', end?.blame && blameWords[end.blame]],
    ['Began', timeText(startedAt)],
    ['Length', lengthText(call, Date.now())],
    ['Menu', menuText(call)],
    ['Called by a menu for', call.calledFor],
    ['Transfer', transfer && `to ${transfer.to}: ${transfer.message}`],
    ['Parked', parked && `dial ${parked.slot} to fetch it, until ${timeText(parked.until)}`],
    ['Recorded', recordedText(call)],
    ['Keys pressed', digits],
    ['Call-ID', sipCallId],
  ];
}

function figuresOf(call: SipCallResource): Fact[] {
  const { quality } = call;
  const codec: Fact[] = [
    ['Codec', codecText(call)],
    ['Media by', call.mediaServer === 'freeswitch' && 'FreeSWITCH'],
  ];
  if (!quality) return codec;
  const { packetsReceived, packetsSent, packetsLost, remotePacketsLost, jitterMs, roundTripTimeMs } = quality;
  return [
    ...codec,
    ['Quality (MOS, 1 to 4.5)', qualityText(call)],
    ['Loss in / out', `${lossText(call)} (${packetsLost} / ${remotePacketsLost} packets)`],
    ['Packets in / out', `${packetsReceived} / ${packetsSent}`],
    ['Jitter', millisecondsText(jitterMs)],
    ['Round trip', millisecondsText(roundTripTimeMs ?? undefined)],
  ];
}
