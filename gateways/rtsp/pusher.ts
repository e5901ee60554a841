// Owns: how streams are pushed to URLs of RTSP, for the part of core that keeps them. May import: core, its neighbours.
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Pusher } from '#core/streaming-out.ts';
import { parseRtspUrl } from './translate.ts';

export function rtspPusher(rules: NetPolicyRules): Pusher {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['rtsp', 'rtsps'],
    check: (url) => {
      parseRtspUrl(url);
      assertMayPull(policy, url);
    },
    push: ({ url, transport }) => ({ protocol: 'rtsp', options: { url, transport, policy: rules } }),
  };
}
