// Owns: one WHIP publisher (RFC 9725). May import: core and its siblings here.
import { GatewayError } from '#core/errors.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { TrackSource } from '#core/track.ts';
import { HttpSession } from './http-session.ts';
import type { SdpDescription, SdpSection } from './sdp-parse.ts';
import { type LocalSection, receivingSection, rejectedSection } from './sdp-write.ts';
import type { SessionTimeouts } from './session.ts';
import { type ReceivedTrack, readReceivedTrack, sends } from './translate.ts';

export class WhipSession extends HttpSession {
  /**
   * @param join called once the offer is known to be good; the participant is ended when the rest fails
   * @throws GatewayError `no_common_codec`, `unprocessable`, `forbidden`, `limit_reached`, `media_lost`
   */
  static async create(
    room: Room,
    join: () => Participant,
    offer: SdpDescription,
    timeouts: SessionTimeouts,
    parentLog: Logger,
  ): Promise<WhipSession> {
    const { tracks, refusals } = readTracks(offer, room);
    const participant = join();
    const log = parentLog.child({ room: room.name, participant: participant.id });
    try {
      const transport = await participant.createTransport();
      const session = new WhipSession(participant, transport, offer, timeouts, log);
      for (const [section, error] of refusals) log.info({ mid: section.mid, detail: error.message }, 'm-line refused');
      await session.#publish(tracks);
      await session.answerOffer(answerSections(offer, tracks));
      return session;
    } catch (thrown) {
      await participant.close('failed');
      throw thrown;
    }
  }

  async #publish(tracks: readonly ReceivedTrack[]): Promise<void> {
    const counts = { audio: 0, video: 0 };
    for (const { kind, rtpParameters } of tracks) {
      counts[kind] += 1;
      const source = sourceOf(kind, counts[kind]);
      const publication = await this.participant.publish(this.transport, { kind, source, rtpParameters });
      this.log.info({ publication: publication.id, kind, codec: publication.mimeType }, 'publishing');
    }
  }

  protected override onConnected(): void {
    this.log.info({}, 'publisher connected');
  }
}

/** WHIP carries one video and one audio (RFC 9725 §4.2); what is more than that is taken too, as `other`. */
function sourceOf(kind: 'audio' | 'video', count: number): TrackSource {
  if (count > 1) return 'other';
  return kind === 'audio' ? 'microphone' : 'camera';
}

/**
 * One m-line that cannot be taken does not stop the others; none at all does.
 * @throws GatewayError of the first m-line that could not be taken
 */
function readTracks(
  offer: SdpDescription,
  room: Room,
): { tracks: ReceivedTrack[]; refusals: [SdpSection, GatewayError][] } {
  const tracks: ReceivedTrack[] = [];
  const refusals: [SdpSection, GatewayError][] = [];
  const capabilities = room.media.rtpCapabilities;
  for (const section of offer.sections) {
    if (section.isRejected || !sends(section)) continue;
    try {
      tracks.push(readReceivedTrack(section, capabilities, { originUser: offer.originUser, isTwoWay: false }));
    } catch (thrown) {
      if (!(thrown instanceof GatewayError)) throw thrown;
      refusals.push([section, thrown]);
    }
  }
  if (tracks.length > 0) return { tracks, refusals };
  throw (
    refusals[0]?.[1] ?? new GatewayError('unprocessable', 'The offer sends nothing: no m-line is sendonly or sendrecv.')
  );
}

function answerSections(offer: SdpDescription, tracks: readonly ReceivedTrack[]): LocalSection[] {
  return offer.sections.map((section) => {
    const track = tracks.find((candidate) => candidate.section === section);
    return track ? receivingSection(track) : rejectedSection(section);
  });
}
