// Owns: one track in one video element. May import: preact.
import { useEffect, useRef, useState } from 'preact/hooks';

export interface VideoProps {
  readonly track: MediaStreamTrack;
  readonly isMirrored?: boolean;
  /** The whole picture, with bars, instead of a full tile with edges cut. */
  readonly isContained?: boolean;
  readonly label: string;
  readonly testId?: string;
  readonly onPicture?: (hasPicture: boolean) => void;
}

/** Without sound: voices have elements of their own, so that a paused picture silences nobody. */
export function Video({ track, isMirrored, isContained, label, testId, onPicture }: VideoProps) {
  const element = useRef<HTMLVideoElement>(null);
  const [hasPicture, setPicture] = useState(false);
  useEffect(() => {
    const video = element.current;
    if (!video) return;
    setPicture(false);
    video.srcObject = new MediaStream([track]);
    // Muted video may always play; what is left are aborts by the next source.
    video.play().catch(() => undefined);
    return () => {
      video.srcObject = null;
    };
  }, [track]);
  useEffect(() => onPicture?.(hasPicture), [hasPicture, onPicture]);
  return (
    <video
      ref={element}
      class={`video${isMirrored ? ' mirrored' : ''}${isContained ? ' contained' : ''}${hasPicture ? '' : ' empty'}`}
      aria-label={label}
      data-testid={testId}
      data-track={track.id}
      playsInline
      muted
      onLoadedData={() => setPicture(true)}
      onResize={() => setPicture(true)}
    />
  );
}
