// Owns: which sources a media worker opens by itself. The worker's counterpart of src/app.ts: the one file of media that
// knows protocols, so that a pulled stream never crosses the control process. May import: core, gateways/x/index.ts.
import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import type { SourceSink } from '#core/media-source.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { pullFile, pullHttp } from '#gateways/http/index.ts';
import { FlvDemuxer, RtmpPull } from '#gateways/rtmp/index.ts';
import { RtspPull } from '#gateways/rtsp/index.ts';
import { SrtPull } from '#gateways/srt/index.ts';
import type { SourceOpener } from './worker-host.ts';

const policyRules = z.object({
  schemes: z.array(z.string()),
  allow: z.array(z.string()).optional(),
  deny: z.array(z.string()).optional(),
  otherwise: z.enum(['allow', 'deny']).optional(),
  ports: z.array(z.number()).optional(),
});

const pull = z.object({
  url: z.string().max(2_048),
  policy: policyRules,
  startTimeoutMs: z.number().positive().optional(),
  stallTimeoutMs: z.number().positive().optional(),
});

const rtspPull = pull.extend({
  transport: z.enum(['auto', 'tcp', 'udp']).optional(),
  checksCertificate: z.boolean().optional(),
  wantsAudio: z.boolean().optional(),
  wantsVideo: z.boolean().optional(),
});

const httpPull = pull.extend({
  wantsAudio: z.boolean().optional(),
  wantsVideo: z.boolean().optional(),
  maxHeight: z.number().positive().optional(),
  maxBitrateBps: z.number().positive().optional(),
  isLooped: z.boolean().optional(),
});

const filePull = pull.omit({ policy: true }).extend({ folder: z.string(), isLooped: z.boolean().optional() });

/** FLV is of RTMP's making; over HTTP it comes all the same. */
const foreign = { flv: (sink: SourceSink) => new FlvDemuxer(sink) };

/** By `source.protocol` of a job. Options are checked here; they come from the control process, which has checked URLs. */
export const sourceOpeners: Readonly<Record<string, SourceOpener>> = {
  rtmp: (options) => {
    const { policy, ...rest } = parse(pull, options);
    return new RtmpPull({ ...rest, policy: new NetPolicy(policy) });
  },
  http: (options) => {
    const { policy, ...rest } = parse(httpPull, options);
    return pullHttp({ ...rest, policy: new NetPolicy(policy) }, foreign);
  },
  file: (options) => pullFile(parse(filePull, options), foreign),
  srt: (options) => {
    const { policy, ...rest } = parse(pull, options);
    return new SrtPull({ ...rest, policy: new NetPolicy(policy) });
  },
  rtsp: (options) => {
    const { policy, ...rest } = parse(rtspPull, options);
    return new RtspPull({ ...rest, policy: new NetPolicy(policy) });
  },
};

function parse<Schema extends z.ZodType>(schema: Schema, options: unknown): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new GatewayError('invalid_request', `The source's ${issue?.path.join('.') ?? 'options'}: ${issue?.message}.`);
}
