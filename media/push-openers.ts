// Owns: which protocols a media worker pushes by. Like source-openers.ts, it alone knows gateways. May import: core,
// gateways/x/index.ts, media/egress.

import { z } from 'zod';
import { GatewayError } from '#core/errors.ts';
import { NetPolicy } from '#core/net-policy.ts';
import { pushRtmp } from '#gateways/rtmp/index.ts';
import { pushRtsp } from '#gateways/rtsp/index.ts';
import { publishSrt } from '#gateways/srt/index.ts';
import { httpSend } from '#wire/http-send.ts';
import type { PushOpener } from './egress/push-connection.ts';
import { announcedStreams, asksForKeyFrame, RtspConnection } from './egress/rtsp-connection.ts';
import { SegmentConnection } from './egress/segment-connection.ts';
import { FolderStore, OriginStore } from './egress/segment-store.ts';
import { SinkConnection } from './egress/sink-connection.ts';

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

const segmentShape = { segmentMs: z.number().min(1_000).max(30_000), segmentCount: z.int().min(2).max(1_000) };
const segmentPush = push.extend({ ...segmentShape, method: z.enum(['PUT', 'POST']) });
const folderPush = z.object({ ...segmentShape, path: z.string().max(4_096), folders: z.array(z.string()) });
/** A segment of some seconds takes no longer to be sent than to be made. */
const leastSendTimeoutMs = 10_000;

const rtspPush = push.extend({ transport: z.enum(['tcp', 'udp']).optional() });

/** By `protocol` of a push sink. */
export const pushOpeners: Readonly<Record<string, PushOpener>> = {
  rtmp: async ({ options, signal }) => {
    const { policy, ...rest } = parse(push, options);
    return new SinkConnection(await pushRtmp({ ...rest, policy: new NetPolicy(policy) }, signal), 'flv');
  },
  srt: async ({ options, signal }) => {
    const { policy, ...rest } = parse(push, options);
    return new SinkConnection(await publishSrt({ ...rest, policy: new NetPolicy(policy) }, signal), 'annex_b');
  },
  rtsp: async ({ options, streams, onKeyFrameWanted, signal }) => {
    const { policy, ...rest } = parse(rtspPush, options);
    const onRtcp = (_: number, packet: Uint8Array) => {
      if (asksForKeyFrame(packet)) onKeyFrameWanted();
    };
    const announced = announcedStreams(streams);
    const client = await pushRtsp({ ...rest, policy: new NetPolicy(policy), streams: announced, onRtcp }, signal);
    return new RtspConnection(client, streams);
  },
  segments: async ({ options, onNotice }) => {
    const { url, policy: rules, method, ...rest } = parse(segmentPush, options);
    const policy = new NetPolicy(rules);
    const playlist = new URL(url);
    const timeoutMs = Math.max(leastSendTimeoutMs, rest.segmentMs);
    const store = new OriginStore(playlist, (what, file, { data, contentType, signal }) =>
      httpSend(file, data, {
        ...{ method: what === 'put' ? method : 'DELETE', policy, signal, timeoutMs, contentType },
      }),
    );
    return new SegmentConnection({ store, playlist: playlist.pathname, onNotice, ...rest });
  },
  segments_folder: async ({ options, onNotice }) => {
    const { path, folders, ...rest } = parse(folderPush, options);
    const store = await FolderStore.create(path, folders);
    return new SegmentConnection({ store, playlist: path, left: await store.names(), onNotice, ...rest });
  },
};

function parse<Schema extends z.ZodType>(schema: Schema, options: unknown): z.output<Schema> {
  const parsed = schema.safeParse(options);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new GatewayError('invalid_request', `The push's ${issue?.path.join('.') ?? 'options'}: ${issue?.message}.`);
}
