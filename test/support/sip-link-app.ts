// Owns: the application's link on a SIP server that tests choose: the embedded one, or a real drachtio-server.
import { configSchema } from '#config/schema.ts';
import type { InboundCall } from '#gateways/sip/index.ts';
import { SipSignalling } from '#gateways/sip/index.ts';
import { KeepingLog } from './keeping-log.ts';
import { realDrachtio } from './sipp-app.ts';

export interface LinkApp {
  readonly sip: SipSignalling;
  /** `host:port` for UDP and TCP. */
  readonly target: string;
  /** The next INVITE. */
  call(): Promise<InboundCall>;
  close(): Promise<void>;
}

export async function startLink(kind: 'embedded' | 'drachtio'): Promise<LinkApp> {
  const { sip: config } = configSchema.parse({
    sip: {
      hosts: ['127.0.0.1'],
      port: 0,
      hasTls: false,
      ...(kind === 'drachtio' && { drachtio: realDrachtio }),
    },
  });
  const sip = await SipSignalling.create({ config, log: new KeepingLog() });
  return {
    sip,
    target: /udp\/([^,]+)/.exec(sip.link.hostPorts)?.[1] ?? '',
    call: () => new Promise((resolve) => sip.link.onCall(resolve)),
    async close() {
      await sip.close();
    },
  };
}
