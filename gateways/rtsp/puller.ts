// Owns: how URLs of RTSP are pulled into rooms, for the part of core that keeps them. May import: core, its neighbours.
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Puller } from '#core/streaming-in.ts';
import { RtspPull } from './client.ts';

export function rtspPuller(rules: NetPolicyRules): Puller {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['rtsp', 'rtsps'],
    check: (url) => {
      new RtspPull({ url, policy }).close();
      assertMayPull(policy, url);
    },
    pull: ({ url, transport, startTimeoutMs, stallTimeoutMs, wantsAudio, wantsVideo }) => ({
      source: {
        ...{ via: 'opened', protocol: 'rtsp' },
        options: {
          ...{ url, transport, startTimeoutMs, stallTimeoutMs, wantsAudio, wantsVideo, policy: rules },
          checksCertificate: false, // cameras have certificates that nobody has signed
        },
      },
    }),
  };
}
