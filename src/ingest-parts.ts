// Owns: what brings media into rooms from outside, and what is pushed from here by the same protocols. May import:
// everything, like app.ts, which uses it.
import type { ApiIngest } from '#api/api-env.ts';
import type { Config } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { Gateway, Logger, RateLimiter } from '#core/ports.ts';
import { PushedIngresses } from '#core/pushed-ingresses.ts';
import type { Rooms } from '#core/rooms.ts';
import type { StorePort } from '#core/store-port.ts';
import { type PushAddress, type PushProtocol, StreamKeys } from '#core/stream-keys.ts';
import type { Puller } from '#core/streaming-in.ts';
import { StreamingIns } from '#core/streaming-ins.ts';
import type { Pusher } from '#core/streaming-out.ts';
import { folderPusher, segmentPusher } from '#gateways/hls/index.ts';
import { filePuller, httpPuller } from '#gateways/http/index.ts';
import { createRtmpGateway, defaultRtmpConfig, rtmpPuller, rtmpPusher } from '#gateways/rtmp/index.ts';
import {
  createRtspGateway,
  defaultRtspConfig,
  type RtspAccessRequest,
  type RtspPlays,
  rtspPuller,
  rtspPusher,
} from '#gateways/rtsp/index.ts';
import { createSrtGateway, defaultSrtConfig, srtPuller, srtPushAddress, srtPusher } from '#gateways/srt/index.ts';
import type { MediaPool } from '#jobs/pool.ts';

export type Ingest = ApiIngest & { readonly pushes: PushedIngresses };
/** Those that encoders push to, once they listen. */
type PushGateway = Gateway & {
  readonly port: number | undefined;
  readonly tlsPort: number | undefined;
  /** Asks those that can to move to another server. */
  sendAway?(): void;
};
export type PushGateways = { rtmp?: PushGateway; rtsp?: PushGateway; srt?: PushGateway };

interface IngestParts {
  readonly store: StorePort;
  readonly rooms: Rooms;
  readonly media: MediaPool;
  readonly log: Logger;
}

/** Stream keys and whoever pushes with them, and what is pulled; the gateways that listen come later. */
export async function buildIngest(
  { ingress, netPolicy, rtmp, srt }: Config,
  parts: IngestParts,
  failures: RateLimiter,
  gateways: PushGateways,
): Promise<Ingest> {
  const streamKeys = new StreamKeys(parts);
  const pushes = new PushedIngresses({ ...parts, keys: streamKeys, failures, ...ingress });
  const streamingIns = await StreamingIns.create({
    ...parts,
    pullers: pullersOf({ netPolicy, ingress }),
    lingerMs: ingress.onDemandLingerMs,
    stallTimeoutMs: ingress.stallTimeoutMs,
    latency: ingress.latency,
    maxPerRoom: ingress.maxPerRoom,
  });
  const defaultPorts = { rtmp: 1935, rtsp: 554 };
  const pushAddressOf = (protocol: PushProtocol, requestHost: string): PushAddress | undefined => {
    const host = rtmp.publicHost ?? requestHost;
    const port = protocol === 'whip' ? undefined : gateways[protocol]?.port;
    if (protocol === 'whip' || port === undefined) return undefined;
    if (protocol === 'srt') return srtPushAddress({ ...srt, host, port });
    const shown = port === defaultPorts[protocol] ? '' : `:${port}`;
    const serverUrl = `${protocol}://${host}${shown}/live`;
    return { serverUrl, urlOf: (key) => `${serverUrl}/${key}` };
  };
  const playPorts = () => ({ rtsp: gateways.rtsp?.port, rtsps: gateways.rtsp?.tlsPort });
  return { streamKeys, pushes, streamingIns, media: parts.media, pushAddressOf, playPorts };
}

/** Sources that are pulled are opened in the media worker, so that their media never crosses this process. */
function pullersOf({ netPolicy, ingress }: Pick<Config, 'netPolicy' | 'ingress'>): Puller[] {
  const rules = { ...netPolicy, schemes: ['rtsp', 'rtsps', 'rtmp', 'rtmps', 'http', 'https', 'srt'] };
  return [rtspPuller(rules), rtmpPuller(rules), srtPuller(rules), httpPuller(rules), filePuller(ingress.mediaFolder)];
}

/** Targets, too, are connected to from the media worker. */
export function pushersOf({ netPolicy, egress }: Pick<Config, 'netPolicy' | 'egress'>): Pusher[] {
  const rules = { ...netPolicy, schemes: ['rtmp', 'rtmps', 'rtsp', 'rtsps', 'srt', 'http', 'https'] };
  const byFiles = [segmentPusher(rules), folderPusher(egress.folders)];
  return [rtmpPusher(rules), rtspPusher(rules), srtPusher(rules), ...byFiles];
}

/** @param opened gets what listens, so that it can be closed should the next one fail */
export async function openPushGateways(
  { rtmp, rtsp, srt, rtp }: Config,
  { pushes, plays }: { readonly pushes: PushedIngresses; readonly plays: RtspPlays },
  certificate: { readonly cert: string; readonly key: string },
  log: Logger,
  opened: PushGateways,
): Promise<void> {
  if (rtmp.isEnabled) {
    const config = { ...defaultRtmpConfig, ...rtmp, tlsPort: rtmp.tlsIsEnabled ? rtmp.tlsPort : undefined };
    const authorizePublish = ({ streamName: key, remoteAddress }: { streamName: string; remoteAddress: string }) =>
      pushes.authorize({ protocol: 'rtmp', key, remoteAddress });
    opened.rtmp = await listening('rtmp', createRtmpGateway({ log, certificate, authorizePublish }, config));
  }
  if (rtsp.isEnabled) {
    const config = {
      ...{ ...defaultRtspConfig, ...rtsp, tlsPort: rtsp.tlsIsEnabled ? rtsp.tlsPort : undefined },
      ...{ firstUdpPort: rtp.firstPort, lastUdpPort: rtp.lastPort },
    };
    const ports = {
      ...{ log, certificate },
      passwordOf: (username: string) => plays.passwordOf(username),
      authorizePublish: ({ path, remoteAddress }: { path: string; remoteAddress: string }) =>
        pushes.authorize({ protocol: 'rtsp', key: path.replace(/^live\//, ''), remoteAddress }),
      authorizePlay: (request: RtspAccessRequest) => plays.authorize(request),
    };
    opened.rtsp = await listening('rtsp', createRtspGateway(ports, config));
  }
  if (srt.isEnabled) {
    const authorizePublish = ({ streamKey: key, remoteAddress }: { streamKey: string; remoteAddress: string }) =>
      pushes.authorize({ protocol: 'srt', key, remoteAddress });
    opened.srt = await listening('srt', createSrtGateway({ log, authorizePublish }, { ...defaultSrtConfig, ...srt }));
  }
}

/** @throws GatewayError `conflict` in words for whoever starts it */
export async function listening<T>(section: string, gateway: Promise<T>): Promise<T> {
  try {
    return await gateway;
  } catch (cause) {
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/\.$/, '');
    const host = section === 'sip' ? 'hosts' : 'host';
    const ports = section === 'srt' ? 'srt.port' : `${section}.port, ${section}.tlsPort`;
    const advice = `Set ${ports} or ${section}.${host}, use --port-base, or turn it off by ${section}.isEnabled.`;
    throw new GatewayError('conflict', `${section.toUpperCase()} cannot listen: ${reason}. ${advice}`, { cause });
  }
}
