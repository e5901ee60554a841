// Owns: the door of RTSP: cameras that we pull, servers that we push to, encoders that push to us, players that come to us.
// May import: core.
import { RtspPlays, type RtspPlaysOptions } from './plays.ts';
import { type RtspGatewayConfig, type RtspGatewayPorts, RtspServer } from './server.ts';

export { RtspPull, type RtspPullOptions } from './client.ts';
export type { RtspPlays } from './plays.ts';
export type { RtspAccessRequest, RtspOutlet, RtspPlayback } from './ports.ts';
export { rtspPuller } from './puller.ts';
export { pushRtsp } from './push.ts';
export { rtspPusher } from './pusher.ts';
export { defaultRtspConfig } from './server.ts';

/** Rooms for players; give its two methods to the gateway. */
export function createRtspPlays(options: RtspPlaysOptions): RtspPlays {
  return new RtspPlays(options);
}

/** Listening when it resolves. The result is a Gateway of core, with its ports for whoever shows the URL. */
export function createRtspGateway(ports: RtspGatewayPorts, config: RtspGatewayConfig): Promise<RtspServer> {
  return RtspServer.create(ports, config);
}
