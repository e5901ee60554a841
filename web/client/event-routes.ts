// Owns: which part of the client each event of the server concerns. May import: its siblings.
import type { DataHub } from './data-hub.ts';
import type { Emitter } from './emitter.ts';
import type { MediaKeeper } from './media-keeper.ts';
import type { Publisher } from './publisher.ts';
import type { RoomConnectionEvents } from './room-connection-types.ts';
import type { RoomState } from './room-state.ts';
import type { ServerEvent } from './signalling-socket.ts';
import type { Subscriber } from './subscriber.ts';
import type { ViewFollower } from './view-follower.ts';

export interface EventRoutes {
  readonly media: MediaKeeper;
  readonly publisher: Publisher;
  readonly subscriber: Subscriber;
  readonly view: ViewFollower;
  readonly data: DataHub;
  readonly events: Emitter<RoomConnectionEvents>;
}

/**
 * @param before the room as it was before the event
 * @param after  as it is now
 */
export function routeEvent(event: ServerEvent, routes: EventRoutes, before: RoomState, after: RoomState): void {
  const { media, publisher, subscriber, view, data, events } = routes;
  const self = after.participants.get(after.selfId ?? '');
  switch (event.event) {
    case 'participantJoined':
      events.emit('participantJoined', event.data.participant);
      subscriber.review();
      break;
    case 'participantUpdated':
      if (self && event.data.participant.id === self.id) {
        media.permissionsChanged(self.permissions);
        view.review();
      }
      break;
    case 'roomUpdated':
      view.review();
      break;
    case 'participantLeft': {
      const participant = before.participants.get(event.data.participantId);
      if (participant) events.emit('participantLeft', participant, event.data.reason);
      subscriber.forget(participant?.publications.map(({ id }) => id) ?? []);
      data.review();
      break;
    }
    case 'publicationAdded':
      publisher.reflect(event.data.publication);
      subscriber.review();
      break;
    case 'publicationUpdated':
      publisher.reflect(event.data.publication);
      break;
    case 'publicationRemoved':
      publisher.removed(event.data);
      subscriber.review();
      break;
    case 'publicationWatched':
      publisher.setWatched(event.data);
      break;
    case 'subscriptionUpdated':
      subscriber.updated(event.data);
      break;
    case 'subscriptionRedirected':
      void subscriber.redirected(event.data);
      break;
    case 'subscriptionEnded':
      subscriber.ended(event.data);
      break;
    case 'dataPublicationAdded':
    case 'dataPublicationRemoved':
      data.review();
      break;
    case 'dataSubscriptionEnded':
      data.ended(event.data.subscriptionId);
      break;
    case 'restart':
      if (self) media.start(self.permissions);
      events.emit('mediaRestarted');
      break;
    case 'chat':
      events.emit('chat', event.data);
      break;
    case 'levels':
      events.emit('levels', event.data.levels);
      break;
    default:
      // The rest is in the state, for whoever shows it.
      break;
  }
}
