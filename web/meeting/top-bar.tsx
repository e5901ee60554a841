// Owns: the line above the stage: where one is, and how the connection is. May import: client (types), ui, its siblings.
import { useEffect, useState } from 'preact/hooks';
import type { ConnectionStats } from '../client/index.ts';
import { Icon, Logo } from '../ui/icons.tsx';
import { Menu } from '../ui/menu.tsx';
import { Quality } from '../ui/quality.tsx';
import type { Meeting } from './meeting.ts';

export function TopBar({ meeting }: { meeting: Meeting }) {
  const { room, participants } = meeting.state.value;
  const isSpotlight = meeting.wantsSpotlight.value;
  const quality = meeting.self.value?.quality ?? 'good';
  const layoutWords = isSpotlight ? 'Show everybody alike (G)' : 'Show who speaks large (G)';
  return (
    <header class="top-bar">
      <Logo size={24} />
      <h1 class="top-title" title={room?.name}>
        {room?.displayName || room?.name}
      </h1>
      <span class="dim top-count" data-testid="count">
        <Icon name="people" size={16} /> {participants.size}
      </span>
      <span role="status">
        {room?.isRecorded && (
          <span class="recording-mark" data-testid="recording" title="What is said and shown here is being recorded.">
            Recording
          </span>
        )}
      </span>
      {room?.isLocked && (
        <span class="dim top-count" data-testid="locked" title="Locked: nobody else comes in">
          <Icon name="lock" size={16} /> Locked
        </span>
      )}
      {room?.asksConsent && !room.isRecorded && (
        <span class="top-count recorded" data-testid="recorded" title="This meeting is recorded">
          <span class="recorded-dot" /> Recorded
        </span>
      )}
      <span class="spacer" />
      <button
        type="button"
        class="button small square quiet"
        aria-label={layoutWords}
        title={layoutWords}
        aria-pressed={isSpotlight}
        data-testid="layout"
        onClick={() => {
          meeting.wantsSpotlight.value = !isSpotlight;
        }}
      >
        <Icon name={isSpotlight ? 'grid' : 'spotlight'} size={18} />
      </button>
      <Menu
        label="Connection"
        class="button small quiet"
        button={<Quality value={quality} />}
        direction="down"
        align="end"
        testId="connection"
      >
        <ConnectionDetails meeting={meeting} />
      </Menu>
      <button
        type="button"
        class="button small square quiet help-button"
        aria-label="Keys (?)"
        title="Keys (?)"
        onClick={() => {
          meeting.isHelpOpen.value = true;
        }}
      >
        <Icon name="help" size={18} />
      </button>
    </header>
  );
}

const sampleMs = 2_000;

function ConnectionDetails({ meeting }: { meeting: Meeting }) {
  const [stats, setStats] = useState<ConnectionStats>();
  useEffect(() => {
    let isOver = false;
    const sample = async () => {
      // While the transports are being made anew there is nothing to measure.
      const next = await meeting.connection?.sampleStats().catch(() => undefined);
      if (!isOver && next) setStats(next);
    };
    void sample();
    const timer = setInterval(() => void sample(), sampleMs);
    return () => {
      isOver = true;
      clearInterval(timer);
    };
  }, [meeting]);
  if (!stats) return <p class="menu-title">Measuring…</p>;
  const video = stats.sent.find(({ kind, heightPx }) => kind === 'video' && heightPx);
  const lost = Math.max(0, ...stats.received.map(({ fractionLost }) => fractionLost));
  const rows: (readonly [string, string | undefined])[] = [
    ['Sending', `${kbps(stats.sent)} kbit/s`],
    ['Receiving', `${kbps(stats.received)} kbit/s`],
    ['Round trip', stats.roundTripTimeMs === undefined ? undefined : `${Math.round(stats.roundTripTimeMs)} ms`],
    ['Packets lost', `${(lost * 100).toFixed(1)} %`],
    ['Your video', video && `${video.widthPx}×${video.heightPx}, ${Math.round(video.framesPerSecond ?? 0)} fps`],
    ['Held back by', video?.limitedBy === 'none' ? undefined : video?.limitedBy],
    ['Path', stats.path && pathWords[stats.path]],
  ];
  return (
    <dl class="facts" data-testid="connection-details">
      {rows.map(
        ([name, value]) =>
          value !== undefined && (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

const pathWords: Partial<Record<string, string>> = { udp: 'direct, UDP', tcp: 'direct, TCP', relay: 'by a TURN relay' };

function kbps(streams: ConnectionStats['sent']): number {
  return Math.round(streams.reduce((sum, { bitrateBps }) => sum + bitrateBps, 0) / 1_000);
}
