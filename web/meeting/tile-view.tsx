// Owns: one tile: picture or initials, name, and what is known of the connection. May import: ui and its siblings.
import { useState } from 'preact/hooks';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Menu, MenuItem } from '../ui/menu.tsx';
import { Quality } from '../ui/quality.tsx';
import type { Rect } from './layout.ts';
import type { Meeting } from './meeting.ts';
import { ModeratorItems } from './moderator-items.tsx';
import { colourOf, initialsOf } from './names.ts';
import type { Tile } from './tiles.ts';
import { Video } from './video.tsx';

export interface TileViewProps {
  readonly meeting: Meeting;
  readonly tile: Tile;
  readonly rect: Rect;
  /** Above the others, in the corner. */
  readonly isFloating: boolean;
  /** Too small for anything but a name. */
  readonly isSmall: boolean;
}

const kindIcons: Partial<Record<Tile['participant']['kind'], readonly [IconName, string]>> = {
  sip: ['phone', 'By telephone'],
  ingress: ['cctv', 'A stream or camera'],
  bot: ['robot', 'A program'],
  bridge: ['rooms', 'Another room'],
};

export function TileView({ meeting, tile, rect, isFloating, isSmall }: TileViewProps) {
  const { participant, isSelf, kind, track } = tile;
  const [hasPicture, setPicture] = useState(false);
  const isCamera = kind === 'camera';
  const isSpeaking = isCamera && meeting.speaking.value.has(participant.id);
  const isActive = isCamera && !isSelf && meeting.state.value.activeSpeaker === participant.id;
  const isShown = track !== undefined && !tile.isHeldBack;
  const classes = [
    'tile',
    isSpeaking && 'speaking',
    isActive && 'active',
    isFloating && 'floating',
    isSmall && 'small',
    kind,
  ];
  const { left, top, width, height } = rect;
  const name = tileName(tile);
  return (
    <article
      class={classes.filter(Boolean).join(' ')}
      style={{ transform: `translate(${left}px, ${top}px)`, width: `${width}px`, height: `${height}px` }}
      aria-label={name}
      data-testid="tile"
      data-participant={participant.id}
      data-name={participant.displayName}
      data-kind={kind}
      data-self={isSelf}
      data-publication={tile.publicationId}
      data-speaking={isSpeaking}
      data-active={isActive}
      data-video={isShown && hasPicture}
      onDblClick={() => meeting.togglePin(tile.key)}
    >
      <div class="tile-media">
        {isShown && (
          <Video
            track={track}
            isMirrored={isSelf && isCamera && meeting.studio.isMirrored.value}
            isContained={!isCamera}
            label={name}
            testId="tile-video"
            onPicture={setPicture}
          />
        )}
        {!(isShown && hasPicture) && <Face meeting={meeting} tile={tile} isWaiting={isShown} />}
      </div>
      <NamePlate meeting={meeting} tile={tile} name={isSmall && isSelf && isCamera ? 'You' : name} />
      <TileCorner meeting={meeting} tile={tile} />
    </article>
  );
}

function tileName({ participant, isSelf, kind, label }: Tile): string {
  const name = isSelf ? `${participant.displayName} (you)` : participant.displayName;
  if (kind === 'screen') return isSelf ? 'Your screen' : `Screen of ${participant.displayName}`;
  return label ? `${name} · ${label}` : name;
}

function Face({ meeting, tile, isWaiting }: { meeting: Meeting; tile: Tile; isWaiting: boolean }) {
  const { participant, failure, isHeldBack } = tile;
  const avatar = meeting.avatars.urlOf(participant);
  return (
    <div class="face">
      <span class={`avatar colour-${colourOf(participant.id)}`}>
        {avatar ? (
          <img src={avatar} alt="" data-testid="tile-avatar" />
        ) : /^[+\d]/.test(participant.displayName) ? (
          <Icon name="phone" size={36} />
        ) : (
          initialsOf(participant.displayName)
        )}
      </span>
      {participant.kind === 'sip' && !failure && (
        <span class="face-note" data-testid="tile-number">
          <Icon name="phone" size={14} /> {participant.user}
        </span>
      )}
      {failure ? (
        <span class="face-note">This video cannot be shown: {failure}</span>
      ) : isHeldBack ? (
        <span class="face-note">
          <Icon name="pause" size={14} /> Shown when they speak
        </span>
      ) : (
        isWaiting && <span class="spinner small" role="img" aria-label="Loading the picture" />
      )}
    </div>
  );
}

function NamePlate({ meeting, tile, name }: { meeting: Meeting; tile: Tile; name: string }) {
  const { participant, isSelf, kind } = tile;
  const kindIcon = kindIcons[participant.kind];
  const isMuted = kind === 'camera' && isSilent(meeting, tile);
  const handPlace = meeting.hands.value.indexOf(participant.id);
  return (
    <div class="name-plate">
      {kind === 'screen' && <Icon name="screen" size={15} />}
      {kind === 'camera' && handPlace >= 0 && (
        <span class="hand-mark" title={`Raised hand, number ${handPlace + 1}`} data-testid="tile-hand">
          <Icon name="hand" size={15} /> {handPlace + 1}
        </span>
      )}
      {isMuted && (
        <span class="mute-mark" title={isSelf ? 'You are muted' : 'Muted'} data-testid="tile-muted">
          <Icon name="micOff" size={15} />
        </span>
      )}
      {kindIcon && (
        <span title={kindIcon[1]}>
          <Icon name={kindIcon[0]} size={15} />
        </span>
      )}
      <span class="name">{name}</span>
    </div>
  );
}

/** Muted, or without a microphone at all. */
function isSilent(meeting: Meeting, { participant, isSelf }: Tile): boolean {
  if (isSelf) {
    const own = [...meeting.state.value.local.values()].find(({ source }) => source === 'microphone');
    return !own || own.isMuted;
  }
  const voices = participant.publications.filter(({ kind, source }) => kind === 'audio' && source !== 'screen_audio');
  return voices.every((publication) => publication.isMuted);
}

function TileCorner({ meeting, tile }: { meeting: Meeting; tile: Tile }) {
  const { participant, isSelf, kind, key } = tile;
  const isPinned = meeting.pinnedKey.value === key;
  const canModerate = !isSelf && meeting.isModerator.value;
  return (
    <div class="tile-corner">
      {isPinned && (
        <span class="pinned-mark" title="Pinned">
          <Icon name="pin" size={16} />
        </span>
      )}
      {kind === 'camera' && <Quality value={participant.quality} />}
      <Menu
        label={`Actions for ${tileName(tile)}`}
        class="tile-menu-button"
        button={<Icon name="more" size={18} />}
        direction="down"
        align="end"
        testId="tile-menu"
      >
        <MenuItem icon="pin" testId="tile-pin" onChoose={() => meeting.togglePin(key)}>
          {isPinned ? 'Take the pin off' : 'Pin'}
        </MenuItem>
        {!isSelf && (
          <MenuItem icon="chat" onChoose={() => meeting.writeTo(participant.id)}>
            Private message
          </MenuItem>
        )}
        {canModerate && <ModeratorItems meeting={meeting} participant={participant} />}
      </Menu>
    </div>
  );
}
