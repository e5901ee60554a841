// Owns: how URLs of SRT are pulled into rooms, for the part of core that keeps them. May import: core, its neighbours.
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Puller } from '#core/streaming-in.ts';
import { parseSrtUrl } from './url.ts';

export function srtPuller(rules: NetPolicyRules): Puller {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['srt'],
    check: (url) => {
      parseSrtUrl(url);
      assertMayPull(policy, url);
    },
    pull: ({ url, startTimeoutMs, stallTimeoutMs }) => ({
      source: {
        ...{ via: 'opened', protocol: 'srt' },
        options: { url, startTimeoutMs, stallTimeoutMs, policy: rules },
      },
    }),
  };
}
