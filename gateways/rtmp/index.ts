// Owns: the door of RTMP: encoders push to us (rtmp://host/live/key), we push to services and pull from servers.
// May import: core.
import { type RtmpGatewayConfig, type RtmpGatewayPorts, RtmpServer } from './server.ts';

export { pushRtmp } from './client.ts';
export { FlvDemuxer } from './flv-demuxer.ts';
export { RtmpPull } from './pull.ts';
export { rtmpPuller } from './puller.ts';
export { rtmpPusher } from './pusher.ts';
export { defaultRtmpConfig } from './server.ts';

/** Listening when it resolves. The result is a Gateway of core, with its ports for whoever shows the URL. */
export function createRtmpGateway(ports: RtmpGatewayPorts, config: RtmpGatewayConfig): Promise<RtmpServer> {
  return RtmpServer.create(ports, config);
}
