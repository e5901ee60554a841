// Owns: how URLs of RTMP are pulled into rooms, for the part of core that keeps them. May import: core, its neighbours.
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Puller } from '#core/streaming-in.ts';
import { parseRtmpUrl } from './url.ts';

export function rtmpPuller(rules: NetPolicyRules): Puller {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['rtmp', 'rtmps'],
    check: (url) => {
      parseRtmpUrl(url);
      assertMayPull(policy, url);
    },
    pull: ({ url, startTimeoutMs, stallTimeoutMs }) => ({
      source: {
        ...{ via: 'opened', protocol: 'rtmp' },
        options: { url, startTimeoutMs, stallTimeoutMs, policy: rules },
      },
    }),
  };
}
