// What an ingress pipeline reads from. The words live in core, because the protocol sessions that bring media
// (gateways/rtmp, gateways/rtsp) may not import media; here they are at the place where pipelines look for them.
export type {
  AudioCodec,
  MediaSource,
  RtpFormat,
  SourceEnd,
  SourceSink,
  SourceStream,
  SourceUnit,
  StreamFraming,
  VideoCodec,
} from '#core/media-source.ts';
