// Owns: how URLs of HTTP, and files, are pulled into rooms, for the part of core that keeps them. May import: core, its
// neighbours.
import { GatewayError } from '#core/errors.ts';
import { assertMayPull, NetPolicy, type NetPolicyRules } from '#core/net-policy.ts';
import type { Puller } from '#core/streaming-in.ts';
import { parseHttpUrl } from '#wire/http-get.ts';
import { pathOf } from './file-pull.ts';

export function httpPuller(rules: NetPolicyRules): Puller {
  const policy = new NetPolicy(rules);
  return {
    schemes: ['http', 'https'],
    check: (url) => {
      parseHttpUrl(url);
      assertMayPull(policy, url);
    },
    pull: ({ transport: _, ...options }) => ({
      source: { via: 'opened', protocol: 'http', options: { ...options, policy: rules } },
    }),
  };
}

/** @param configured undefined where no files may be played */
export function filePuller(configured: string | undefined): Puller {
  const folder = () => {
    if (configured !== undefined) return configured;
    throw new GatewayError('forbidden', 'No files are played here: ingress.mediaFolder is not set.');
  };
  return {
    schemes: ['file'],
    check: (url) => {
      folder();
      pathOf(url);
    },
    pull: ({ url, startTimeoutMs, stallTimeoutMs, isLooped }) => ({
      source: {
        ...{ via: 'opened', protocol: 'file' },
        options: { url, startTimeoutMs, stallTimeoutMs, isLooped, folder: folder() },
      },
    }),
  };
}
