// Owns: the door of the client library. May import: its siblings.
export { ApiClient, ApiError } from './api-client.ts';
export type { DataMessage, LocalData, PublishDataOptions } from './data-hub.ts';
export type { VideoCodec } from './encodings.ts';
export { ClientError, type ClientErrorCode } from './errors.ts';
export { Fmp4Player, type Fmp4PlayerEvents, type Fmp4PlayerOptions, type Fmp4PlayerState } from './fmp4-player.ts';
export { canShareScreen, openCamera, openMicrophone, openScreen, type ScreenTracks } from './local-media.ts';
export type { LocalPublication, PublishOptions } from './local-publication.ts';
export { RoomConnection } from './room-connection.ts';
export type { RoomConnectionEvents, RoomConnectionOptions, VideoView } from './room-connection-types.ts';
export type {
  EndInfo,
  LocalPublicationView,
  MediaState,
  Phase,
  ReconnectInfo,
  RoomState,
  SubscriptionView,
} from './room-state.ts';
export type { ConnectionStats, StreamSample } from './stats.ts';
export { Store } from './store.ts';
