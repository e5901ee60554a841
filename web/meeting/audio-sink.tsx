// Owns: everybody's voice, out of the chosen loudspeaker. May import: client (types), its siblings.
import { useEffect, useRef } from 'preact/hooks';
import type { SubscriptionView } from '../client/index.ts';
import type { Meeting } from './meeting.ts';

export function AudioSink({ meeting }: { meeting: Meeting }) {
  const voices = [...meeting.state.value.subscriptions.values()].filter(({ kind }) => kind === 'audio');
  return (
    <div hidden>
      {voices.map((voice) => (
        <Voice key={voice.subscriptionId} voice={voice} meeting={meeting} />
      ))}
    </div>
  );
}

function Voice({ voice, meeting }: { voice: SubscriptionView; meeting: Meeting }) {
  const element = useRef<HTMLAudioElement>(null);
  const speakerId = meeting.studio.speakerId.value;
  const needsGesture = meeting.needsGesture.value;
  useEffect(() => {
    const audio = element.current;
    if (!audio) return;
    audio.srcObject = new MediaStream([voice.track]);
    return () => {
      audio.srcObject = null;
    };
  }, [voice.track]);
  useEffect(() => {
    // A page that came to be without a click may not play sound; the banner asks for one.
    if (needsGesture) return;
    element.current?.play().catch((thrown: unknown) => {
      if (thrown instanceof DOMException && thrown.name === 'NotAllowedError') meeting.needsGesture.value = true;
    });
  }, [voice.track, needsGesture, meeting]);
  useEffect(() => {
    const audio = element.current;
    if (!audio || speakerId === undefined || typeof audio.setSinkId !== 'function') return;
    // The loudspeaker of the last time may be gone: the default one then plays on.
    audio.setSinkId(speakerId).catch(() => undefined);
  }, [speakerId]);
  // biome-ignore lint/a11y/useMediaCaption: live speech has no captions to offer
  return <audio ref={element} data-testid="voice" data-participant={voice.participantId} data-track={voice.track.id} />;
}
