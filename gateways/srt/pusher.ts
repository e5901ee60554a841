// Owns: how streams are pushed to URLs of SRT, for the part of core that keeps them. May import: core, its neighbours.
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Pusher } from '#core/streaming-out.ts';
import { parseSrtUrl } from './url.ts';

export function srtPusher(rules: NetPolicyRules): Pusher {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['srt'],
    check: (url) => {
      parseSrtUrl(url);
      assertMayPull(policy, url);
    },
    push: ({ url }) => ({ protocol: 'srt', options: { url, policy: rules } }),
  };
}
