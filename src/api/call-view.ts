// Owns: a phone call as the API shows it. Pure. May import: core, ./contract, ./views.
import type { CallEnd, CallInfo, CallVideoInfo } from '#core/call.ts';
import { errorTable } from '#core/errors.ts';
import type { LegStats } from '#core/leg-media.ts';
import type { SipCallResource } from './contract.ts';
import { timeText } from './views.ts';

export function callView(info: CallInfo): SipCallResource {
  const {
    startedAtMs,
    answeredAtMs,
    endedAtMs,
    end,
    stats,
    codec,
    mediaServer,
    sipCallId,
    participantId,
    transfer,
    parked,
    diversions = [],
    menu = [],
    video,
    recordingIds = [],
    recordingProblem,
    ...rest
  } = info;
  const orNull = (atMs: number | undefined) => (atMs === undefined ? null : timeText(atMs));
  return {
    ...rest,
    roomId: info.roomId ?? null,
    roomName: info.roomName ?? null,
    sipCallId: sipCallId ?? null,
    trunk: info.trunk ?? null,
    account: info.account ?? null,
    diversions: diversions.map(({ uri, reason }) => ({ uri, reason })),
    menu: menu.map(({ node, pressed, led, call = null }) => ({ node, pressed, led, call })),
    calledFor: info.calledFor ?? null,
    participantId: participantId ?? null,
    startedAt: timeText(startedAtMs),
    answeredAt: orNull(answeredAtMs),
    endedAt: orNull(endedAtMs),
    end: end ? endOf(end) : null,
    isRecorded: info.isRecorded ?? false,
    recordings: [...recordingIds],
    recordingProblem: recordingProblem ?? null,
    codec: codec ?? null,
    mediaServer: mediaServer ?? null,
    video: video ? videoOf(video) : null,
    quality: stats ? qualityOf(stats) : null,
    parked: parked ? { slot: parked.slot, since: timeText(parked.sinceMs), until: timeText(parked.untilMs) } : null,
    transfer: transfer ? { ...transfer, sipStatus: transfer.sipStatus ?? null } : null,
  };
}

function endOf({ by, reason, message, code, sipStatus }: CallEnd): NonNullable<SipCallResource['end']> {
  const blame = code === undefined ? null : errorTable[code].blame;
  return { by, reason, message, code: code ?? null, blame, sipStatus: sipStatus ?? null };
}

function videoOf({ shown, stats, ...rest }: CallVideoInfo): SipCallResource['video'] {
  if (!stats) return { ...rest, received: null, sent: null };
  const { width = null, height = null, jitterMs, packetsLost, keyFramesAsked, keyFramesWanted } = stats;
  return {
    ...rest,
    received: {
      ...{ width, height, packets: stats.packetsReceived, packetsLost, jitterMs },
      ...{ frames: stats.framesReceived, keyFrames: stats.keyFramesReceived, keyFramesAsked },
    },
    sent: {
      ...{ width: shown?.width ?? null, height: shown?.height ?? null },
      ...{ framerateHz: shown?.framerateHz ?? null, bitrateBps: shown?.bitrateBps ?? null },
      ...{ packets: stats.packetsSent, packetsLost: stats.remotePacketsLost, frames: stats.framesSent },
      ...{ keyFrames: stats.keyFramesSent, keyFramesWanted, roundTripTimeMs: stats.roundTripTimeMs ?? null },
    },
  };
}

function qualityOf(stats: LegStats): SipCallResource['quality'] {
  const { packetsReceived, packetsSent, packetsLost, remotePacketsLost, jitterMs } = stats;
  return {
    ...{ packetsReceived, packetsSent, packetsLost, remotePacketsLost, jitterMs },
    roundTripTimeMs: stats.roundTripTimeMs ?? null,
    meanOpinionScore: stats.meanOpinionScore ?? null,
  };
}
