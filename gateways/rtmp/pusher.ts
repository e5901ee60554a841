// Owns: how streams are pushed to URLs of RTMP, for the part of core that keeps them. May import: core, its neighbours.
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Pusher } from '#core/streaming-out.ts';
import { parseRtmpUrl } from './url.ts';

export function rtmpPusher(rules: NetPolicyRules): Pusher {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['rtmp', 'rtmps'],
    check: (url) => {
      parseRtmpUrl(url);
      assertMayPull(policy, url);
    },
    push: ({ url }) => ({ protocol: 'rtmp', options: { url, policy: rules } }),
  };
}
