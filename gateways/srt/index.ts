// Owns: the door of SRT: encoders push to us (srt://host:8890?streamid=key), we push to listeners and pull from them.
// May import: core.
import { type SrtGatewayConfig, type SrtGatewayPorts, SrtServer } from './server.ts';

export { pushSrt } from './client.ts';
export { publishSrt } from './publish.ts';
export { SrtPull } from './pull.ts';
export { srtPuller } from './puller.ts';
export { srtPushAddress } from './push-address.ts';
export { srtPusher } from './pusher.ts';
export { defaultSrtConfig } from './server.ts';

/** Listening when it resolves. The result is a Gateway of core, with its port for whoever shows the URL. */
export function createSrtGateway(ports: SrtGatewayPorts, config: SrtGatewayConfig): Promise<SrtServer> {
  return SrtServer.create(ports, config);
}
