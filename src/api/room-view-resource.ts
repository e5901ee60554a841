// Owns: a view as the API shows it. Pure. May import: core, ./contract.
import type { View } from '#core/view.ts';
import type { ViewMember } from '#core/view-inputs.ts';
import type { ViewSettings } from '#core/view-settings.ts';
import type { ViewResource, ViewSettingsResource } from './contract.ts';

export function viewSettingsResource(settings: ViewSettings): ViewSettingsResource {
  const { name, video, look, autoMix, hasAudio, hasVideo = true, imageId } = settings;
  const { layout, maxInputs, isVoicePrimary, backgroundColor, hasLabels, hasSpeakerBorder, transitionMs = 0 } = look;
  return {
    ...{ name, hasVideo, hasAudio, autoMix, layout },
    ...{ maxInputs, isVoicePrimary, backgroundColor, hasLabels, hasSpeakerBorder, transitionMs },
    hasBackgroundImage: imageId !== undefined,
    video: { ...video, bitrateBps: video.bitrateBps ?? null, ladder: video.ladder ?? null },
  };
}

export function viewResource(settings: ViewSettings, view: View | undefined): ViewResource {
  const { pinned, stats } = view ?? {};
  return {
    ...viewSettingsResource(settings),
    isRunning: view !== undefined,
    inputs: (view?.order ?? []).map(inputResource),
    pinned: pinned ? (pinned.publication?.id ?? pinned.participant.id) : null,
    stats: stats ? statsResource(stats) : null,
  };
}

function statsResource(stats: NonNullable<View['stats']>): ViewResource['stats'] {
  const { framerateHz, targetFramerateHz, msPerTick, inputsWaiting, encoders } = stats;
  return {
    ...{ framerateHz, targetFramerateHz, msPerTick, inputsWaiting },
    encoders: encoders.map(({ frames: _f, keyFrames: _k, bytes: _b, ...shown }) => shown),
  };
}

function inputResource({ participant, publication, place }: ViewMember): ViewResource['inputs'][number] {
  const { regionId, x, y, width, height } = place ?? {};
  return {
    streamId: publication?.id ?? null,
    participantId: participant.id,
    displayName: participant.displayName,
    place: place ? ({ regionId, x, y, width, height } as NonNullable<ViewResource['inputs'][number]['place']>) : null,
  };
}
