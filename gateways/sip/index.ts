// Owns: the door of SIP: phones call rooms, and rooms call phones. May import: core, config.
import { SipGateway, type SipGatewayPorts } from './gateway.ts';

export type { SipGateway } from './gateway.ts';
export type { InboundCall } from './inbound-call.ts';
export { SipSignalling } from './signalling.ts';

/** Its calls can be asked for at once; phones are answered from `listen()` on. */
export function createSipGateway(ports: SipGatewayPorts): SipGateway {
  return new SipGateway(ports);
}
