// Owns: what each request does to the room. May import: core, ./protocol, ./info.
import type { DataPublication } from '#core/data-track.ts';
import { GatewayError } from '#core/errors.ts';
import type { ParticipantId, PublicationId, SubscriptionId } from '#core/ids.ts';
import type { Meetings } from '#core/meetings.ts';
import type { Participant } from '#core/participant.ts';
import type { IceServerPort, SfuWebRtcTransport } from '#core/ports.ts';
import type { Room } from '#core/room.ts';
import type { RtpCapabilities } from '#core/rtp.ts';
import type { Publication, Subscription } from '#core/track.ts';
import { errorInfo, publicationInfo, subscriptionInfo } from './info.ts';
import type { Method, RequestData, ResultMap } from './protocol.ts';
import type { TranscodeWatch } from './transcode-watch.ts';
import type { ViewWatch } from './view-watch.ts';

/** What a request may touch: its participant, and what the session remembers of its browser. */
export interface RequestContext {
  readonly participant: Participant;
  readonly meetings: Meetings;
  readonly ice: IceServerPort;
  readonly views: ViewWatch;
  readonly transcodes: TranscodeWatch;
  rtpCapabilities: RtpCapabilities | undefined;
}

/** `join` and `resume` make sessions and are not requests of one. */
export type SessionMethod = Exclude<Method, 'join' | 'resume' | 'leave'>;

type Handlers = {
  readonly [M in SessionMethod]: (
    context: RequestContext,
    data: RequestData<M>,
  ) => Promise<ResultMap[M]> | ResultMap[M];
};

const done = {} as const;

export const handlers: Handlers = {
  async createTransport(context, { direction, rtpCapabilities, hasData }) {
    if (rtpCapabilities) context.rtpCapabilities = rtpCapabilities;
    const { participant, ice } = context;
    const transport = await participant.createTransport({ hasData: hasData ?? true });
    watchTransport(participant, transport, direction);
    return {
      id: transport.id,
      iceParameters: transport.iceParameters,
      iceCandidates: transport.iceCandidates,
      dtlsParameters: transport.dtlsParameters,
      sctpParameters: transport.sctpParameters,
      iceServers: ice.iceServersFor(participant.id),
    };
  },

  async connectTransport({ participant }, { transportId, dtlsParameters }) {
    await transportOf(participant, transportId).connect({ dtlsParameters });
    return done;
  },

  async restartIce({ participant }, { transportId }) {
    return { iceParameters: await transportOf(participant, transportId).restartIce() };
  },

  closeTransport({ participant }, { transportId }) {
    transportOf(participant, transportId).close();
    return done;
  },

  async publish({ participant }, { transportId, publicationId, ...options }) {
    const transport = transportOf(participant, transportId);
    const publication = await participant.publish(transport, {
      ...options,
      id: publicationId as PublicationId | undefined,
    });
    return { publicationId: publication.id, producerId: publication.producer.id };
  },

  async unpublish({ participant }, { publicationId }) {
    await ownPublication(participant, publicationId).close('requested');
    return done;
  },

  async setMuted({ participant }, { publicationId, isMuted }) {
    await ownPublication(participant, publicationId).setMuted(isMuted, 'owner');
    return done;
  },

  async subscribe({ participant, transcodes, rtpCapabilities }, { transportId, publicationIds }) {
    const transport = transportOf(participant, transportId);
    if (!rtpCapabilities) {
      throw new GatewayError('invalid_request', 'Send rtpCapabilities with createTransport before you subscribe.');
    }
    // All at once: a room of thirty is one round trip to the browser and thirty in flight to the SFU worker.
    const settled = await Promise.allSettled(
      publicationIds.map(async (id) => {
        const publication = participant.room.findPublication(id as PublicationId);
        if (!publication) throw new GatewayError('not_found', 'There is no such publication in this room.');
        const existing = subscriptionTo(participant, publication);
        // Asked again after an answer was lost with its socket: the same subscription, not a second one.
        if (existing) return existing;
        const subscription = await participant.subscribe(transport, publication, { rtpCapabilities });
        transcodes.admit(subscription, transport, rtpCapabilities);
        return subscription;
      }),
    );
    return {
      subscriptions: settled.flatMap((result) =>
        result.status === 'fulfilled' ? [subscriptionInfo(result.value)] : [],
      ),
      failed: settled.flatMap((result, index) =>
        result.status === 'rejected'
          ? [{ publicationId: publicationIds[index] ?? '', error: errorInfo(result.reason) }]
          : [],
      ),
    };
  },

  async openView({ participant, views, rtpCapabilities }, { view }) {
    return { publication: publicationInfo(await views.open(participant, view, rtpCapabilities)) };
  },

  closeView({ views }, { view }) {
    views.close(view);
    return done;
  },

  async arrangeView({ participant, views }, { view, ...arrangement }) {
    await views.arrange(moderatedRoom(participant), view, arrangement);
    return done;
  },

  async openTranscoded({ participant, transcodes }, { publicationId, format }) {
    return { publication: publicationInfo(await transcodes.open(participant, publicationId, format)) };
  },

  async changeTranscoded({ transcodes }, { publicationId, format }) {
    await transcodes.change(publicationId, format);
    return done;
  },

  closeTranscoded({ transcodes }, { publicationId }) {
    transcodes.close(publicationId);
    return done;
  },

  async unsubscribe({ participant }, { subscriptionIds }) {
    await Promise.all(found(participant, subscriptionIds).map((subscription) => subscription.close('requested')));
    return done;
  },

  async resumeSubscriptions({ participant }, { subscriptionIds }) {
    await Promise.all(found(participant, subscriptionIds).map((subscription) => subscription.resume()));
    return done;
  },

  async pauseSubscriptions({ participant }, { subscriptionIds }) {
    await Promise.all(found(participant, subscriptionIds).map((subscription) => subscription.pause()));
    return done;
  },

  async setLayers({ participant }, { subscriptionId, layers }) {
    const { consumer } = subscriptionOf(participant, subscriptionId);
    if (consumer.type === 'simple') {
      throw new GatewayError('unprocessable', 'This stream has one layer only.');
    }
    await consumer.setPreferredLayers(layers);
    return done;
  },

  async setPriority({ participant }, { subscriptionId, priority }) {
    await subscriptionOf(participant, subscriptionId).consumer.setPriority(priority);
    return done;
  },

  setPinned({ participant }, { subscriptionId, isPinned }) {
    subscriptionOf(participant, subscriptionId).setPinned(isPinned);
    return done;
  },

  async setFormat({ participant }, { subscriptionId, format }) {
    const { formats } = subscriptionOf(participant, subscriptionId);
    if (!formats) throw new GatewayError('unprocessable', 'Only what a camera or a view shows comes in other formats.');
    await formats.set(format);
    return done;
  },

  async requestKeyFrame({ participant }, { subscriptionId }) {
    await subscriptionOf(participant, subscriptionId).consumer.requestKeyFrame();
    return done;
  },

  async publishData({ participant }, { transportId, ...options }) {
    const publication = await participant.publishData(transportOf(participant, transportId), options);
    return { publicationId: publication.id, dataProducerId: publication.dataProducer.id };
  },

  async unpublishData({ participant }, { publicationId }) {
    const publication = participant.dataPublications.get(publicationId as PublicationId);
    if (!publication) throw new GatewayError('not_found', 'You have no such data publication.');
    await publication.close('requested');
    return done;
  },

  async subscribeData({ participant }, { transportId, publicationId }) {
    const publication = dataPublicationIn(participant, publicationId);
    const subscription = await participant.subscribeData(transportOf(participant, transportId), publication);
    const { dataConsumer } = subscription;
    return {
      subscriptionId: subscription.id,
      publicationId: publication.id,
      dataProducerId: dataConsumer.dataProducerId,
      dataConsumerId: dataConsumer.id,
      label: dataConsumer.label,
      protocol: dataConsumer.protocol,
      sctpStreamParameters: dataConsumer.sctpStreamParameters,
    };
  },

  async unsubscribeData({ participant }, { subscriptionId }) {
    const subscription = participant.dataSubscriptions.get(subscriptionId as SubscriptionId);
    if (!subscription) throw new GatewayError('not_found', 'You have no such data subscription.');
    await subscription.close('requested');
    return done;
  },

  chat({ participant }, { to, text }) {
    return { messageId: participant.room.sendChat(participant, to as ParticipantId | 'all', text).id };
  },

  raiseHand({ participant }, { isRaised }) {
    participant.update({ isHandRaised: isRaised });
    return done;
  },

  setDisplayName({ participant }, { displayName }) {
    participant.update({ displayName });
    return done;
  },

  setAttributes({ participant }, { attributes }) {
    participant.update({ attributes });
    return done;
  },

  setAvatar({ participant }, { image }) {
    participant.setAvatar(image === null ? undefined : Buffer.from(image, 'base64'));
    return done;
  },

  async muteParticipant({ participant }, { participantId, isMuted, source }) {
    const target = moderated(participant, participantId);
    const publications = [...target.publications.values()].filter((publication) =>
      source ? publication.source === source : publication.kind === 'audio',
    );
    await Promise.all(publications.map((publication) => publication.setMuted(isMuted, 'moderator')));
    return { changed: publications.length };
  },

  kickParticipant({ participant }, { participantId }) {
    // Not awaited: whoever kicks itself would wait for its own answer to be sent.
    void moderated(participant, participantId).close('kicked');
    return done;
  },

  setRole({ participant }, { participantId, role }) {
    moderated(participant, participantId).update({ role });
    return done;
  },

  lowerHand({ participant }, { participantId }) {
    moderated(participant, participantId).update({ isHandRaised: false });
    return done;
  },

  admit({ participant, meetings }, { waitingId }) {
    const { id } = moderatedRoom(participant);
    if (waitingId === undefined) return { admittedCount: meetings.admitAll(id) };
    meetings.admit(id, waitingId);
    return { admittedCount: 1 };
  },

  deny({ participant, meetings }, { waitingId }) {
    meetings.deny(moderatedRoom(participant).id, waitingId);
    return done;
  },

  async setDoor({ participant, meetings }, change) {
    await meetings.change(moderatedRoom(participant).id, change);
    return done;
  },

  ping() {
    return { serverTimeMs: Date.now() };
  },
};

function watchTransport(participant: Participant, transport: SfuWebRtcTransport, direction: 'send' | 'recv'): void {
  transport.events.on('dtlsStateChanged', (state) => {
    // A failed handshake never recovers; the client sees its own side fail and makes a new transport.
    if (state === 'failed') transport.close();
  });
  if (direction === 'recv') {
    transport.events.on('bandwidthEstimated', (availableOutgoingBps) => {
      participant.noteBandwidth(availableOutgoingBps);
    });
  }
}

function transportOf(participant: Participant, id: string): SfuWebRtcTransport {
  const transport = participant.transports.get(id);
  if (!transport) throw new GatewayError('not_found', 'You have no such transport; it may have been closed.');
  return transport;
}

function ownPublication(participant: Participant, id: string): Publication {
  const publication = participant.publications.get(id as PublicationId);
  if (!publication) throw new GatewayError('not_found', 'You have no such publication.');
  return publication;
}

function subscriptionOf(participant: Participant, id: string): Subscription {
  const subscription = participant.subscriptions.get(id as SubscriptionId);
  if (!subscription) throw new GatewayError('not_found', 'You have no such subscription.');
  return subscription;
}

function subscriptionTo(participant: Participant, publication: Publication): Subscription | undefined {
  return [...publication.subscriptions].find((subscription) => subscription.participant === participant);
}

/** Those that still exist: one that has just ended by itself is no error in a batch. */
function found(participant: Participant, ids: readonly string[]): Subscription[] {
  return ids.flatMap((id) => participant.subscriptions.get(id as SubscriptionId) ?? []);
}

function dataPublicationIn(participant: Participant, id: string): DataPublication {
  for (const publication of participant.room.dataPublications()) {
    if (publication.id === id) return publication;
  }
  throw new GatewayError('not_found', 'There is no such data publication in this room.');
}

function moderatedRoom(moderator: Participant): Room {
  if (!moderator.permissions.moderate) {
    throw new GatewayError('forbidden', `Your role "${moderator.role}" may not moderate.`);
  }
  return moderator.room;
}

function moderated(moderator: Participant, targetId: string): Participant {
  const target = moderatedRoom(moderator).participants.get(targetId as ParticipantId);
  if (!target) throw new GatewayError('not_found', 'That participant is not in the room.');
  return target;
}
