// Owns: the process of bench/srt.ts that receives: our listener with its demuxer, and a sink that counts.
import { createSrtGateway, defaultSrtConfig } from '#gateways/srt/index.ts';
import { KeepingLog } from '#test/support/keeping-log.ts';

const passphrase = process.argv[2] || undefined;
let units = 0;
const gateway = await createSrtGateway(
  {
    log: new KeepingLog(),
    authorizePublish: async ({ streamKey }) => ({
      publisherId: streamKey,
      whenBusy: 'reject',
      accept: (source) => source.start({ describe: () => undefined, deliver: () => (units += 1) }),
    }),
  },
  { ...defaultSrtConfig, host: '127.0.0.1', port: 0, passphrase },
);
process.on('message', () => process.send?.({ units }));
process.on('disconnect', () => void gateway.close());
process.send?.({ port: gateway.port });
