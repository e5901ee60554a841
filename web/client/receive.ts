// Owns: one stream as the browser receives it. May import: mediasoup-client (types) and its siblings.
import type { Consumer, Transport } from 'mediasoup-client/types';
import type { PublicationInfo, SubscriptionInfo } from '#signalling/protocol.ts';
import { spatialLayersOf } from './encodings.ts';
import { asRtpParameters } from './mediasoup-shapes.ts';

/** The past track is shown until the first picture of the new one, or so long. */
const firstPictureTimeoutMs = 2_000;

export function receive(transport: Transport, publication: PublicationInfo, info: SubscriptionInfo): Promise<Consumer> {
  return transport.consume({
    id: info.consumerId,
    producerId: info.producerId,
    kind: info.kind,
    rtpParameters: asRtpParameters(info.rtpParameters),
    // One stream per participant and pair of sources: the browser keeps lips and voice together within it.
    streamId: `${info.participantId}-${publication.source.startsWith('screen') ? 'screen' : 'main'}`,
  });
}

/** A track of a receiver is muted until its first packet. */
export function firstPicture(track: MediaStreamTrack): Promise<unknown> {
  if (!track.muted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  track.addEventListener('unmute', () => resolve(), { once: true });
  setTimeout(resolve, firstPictureTimeoutMs);
  return promise;
}

export function layerCountOf(publication: PublicationInfo, info: SubscriptionInfo): number {
  if (info.type === 'simulcast') return publication.encodingCount;
  if (info.type === 'svc') return spatialLayersOf(info.rtpParameters.encodings?.[0]?.scalabilityMode);
  return 1;
}
