// Owns: which protocols a media worker pushes by. Like source-openers.ts, it alone knows gateways. May import: core,
// gateways/x/index.ts, media/egress.
import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { pushRtmp } from '#gateways/rtmp/index.ts';
import type { PushOpener } from './egress/push-connection.ts';
import { RtmpConnection } from './egress/rtmp-connection.ts';

const push = z.object({
  url: z.string().max(2_048),
  policy: z.object({
    schemes: z.array(z.string()),
    allow: z.array(z.string()).optional(),
    deny: z.array(z.string()).optional(),
    otherwise: z.enum(['allow', 'deny']).optional(),
    ports: z.array(z.number()).optional(),
  }),
  startTimeoutMs: z.number().positive().optional(),
  stallTimeoutMs: z.number().positive().optional(),
});

/** By `protocol` of a push sink. */
export const pushOpeners: Readonly<Record<string, PushOpener>> = {
  rtmp: async ({ options, signal }) => {
    const { policy, ...rest } = parse(push, options);
    return new RtmpConnection(await pushRtmp({ ...rest, policy: new NetPolicy(policy) }, signal));
  },
};

function parse<Schema extends z.ZodType>(schema: Schema, options: unknown): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new GatewayError('invalid_request', `The push's ${issue?.path.join('.') ?? 'options'}: ${issue?.message}.`);
}
