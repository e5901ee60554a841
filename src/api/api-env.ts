// Owns: what every handler of the API can rely on. May import: core, config.
import type { HttpBindings } from '@hono/node-server';
import type { Config } from '#config/schema.ts';
import type { Analyses } from '#core/analyses.ts';
import type { AuditStorePort } from '#core/audit.ts';
import type { AvatarSource } from '#core/avatar.ts';
import type { Bans } from '#core/bans.ts';
import type { Bridges } from '#core/bridges.ts';
import type { CallsPort } from '#core/call.ts';
import type { CallRecords } from '#core/call-records.ts';
import type { DispatchRules } from '#core/dispatch-rules.ts';
import type { ErrorCode } from '#core/errors.ts';
import type { EventLog } from '#core/event-log.ts';
import type { Principal } from '#core/grants.ts';
import type { LoadState } from '#core/load-breaker.ts';
import type { Meetings } from '#core/meetings.ts';
import type { NodesPort } from '#core/nodes.ts';
import type { Logger, MediaPort, SfuPort } from '#core/ports.ts';
import type { PushedIngresses } from '#core/pushed-ingresses.ts';
import type { RecordingFiles } from '#core/recording-files.ts';
import type { Recordings } from '#core/recordings.ts';
import type { RoomPins } from '#core/room-pins.ts';
import type { SipDefaults } from '#core/room-sip.ts';
import type { Rooms } from '#core/rooms.ts';
import type { AccountContact } from '#core/sip-account.ts';
import type { SipAccounts } from '#core/sip-accounts.ts';
import type { SipDoor } from '#core/sip-door.ts';
import type { PushAddress, PushProtocol, StreamKeys } from '#core/stream-keys.ts';
import type { StreamingIns } from '#core/streaming-ins.ts';
import type { StreamingOuts } from '#core/streaming-outs.ts';
import type { TrunkStatus } from '#core/trunk.ts';
import type { Trunks } from '#core/trunks.ts';
import type { ViewPort } from '#core/view-port.ts';
import type { WebhooksPort } from '#core/webhook.ts';
import type { ApiLimits } from './api-limits.ts';
import type { Auth } from './auth.ts';
import type { Idempotency } from './idempotency.ts';
import type { StreamSlots } from './stream-slots.ts';

/** The little that the API asks of telemetry; src/app.ts hands it in. */
export interface ApiMetrics {
  readonly contentType: string;
  render(): Promise<string>;
  readonly counters: {
    failed(code: ErrorCode): void;
    httpAnswered(request: { method: string; route: string; status: number; durationMs: number }): void;
  };
}

/** Where the configuration wants traces. */
export interface ApiTracer {
  /** @param traceParent header of whoever asks */
  startRequest(
    traceParent: string | undefined,
    attributes: Readonly<Record<string, string>>,
  ): {
    end(result: {
      name: string;
      attributes: Readonly<Record<string, string | number | undefined>>;
      error: string | undefined;
    }): void;
  };
}

export interface ApiHealth {
  readonly startedAtMs: number;
  readonly isDraining: boolean;
  live(): { status: 'ok'; uptimeMs: number };
  ready(): Promise<{
    isReady: boolean;
    problems: readonly { readonly part: string; readonly message: string }[];
    load: LoadState;
  }>;
}

/** Media that comes into rooms from elsewhere than browsers. */
export interface ApiIngest {
  readonly streamKeys: StreamKeys;
  readonly pushes: Pick<PushedIngresses, 'find'>;
  readonly streamingIns: StreamingIns;
  readonly media: Pick<MediaPort, 'jobs' | 'describeWorkers'>;
  /** Undefined for a protocol that is not served here. */
  pushAddressOf(protocol: PushProtocol, host: string): PushAddress | undefined;
  /** That players come to; undefined while turned off. */
  playPorts(): { readonly rtsp: number | undefined; readonly rtsps: number | undefined };
}

/** Phones, whether they are turned on or not. */
export interface ApiSip extends CallsPort {
  readonly rules: DispatchRules;
  readonly door: Pick<SipDoor, 'explain' | 'assertMayGuess' | 'guess'>;
  readonly pins: RoomPins;
  readonly records: Pick<CallRecords, 'list' | 'find'>;
  readonly defaults: SipDefaults;
  readonly trunks: Trunks;
  /** Undefined while phones are turned off. */
  readonly accounts: SipAccounts;
  readonly bans: Bans;
  /** Of an account, those that are registered now. */
  readonly phonesOf: (account: string) => readonly AccountContact[];
  readonly lines: { statusOf(trunk: string): TrunkStatus | undefined };
}

export interface ApiRecordings {
  readonly all: Recordings;
  readonly files: Pick<RecordingFiles, 'pathOf'>;
}

export interface ApiOptions {
  readonly rooms: Rooms;
  readonly meetings: Meetings;
  readonly auth: Auth;
  readonly sfu: SfuPort;
  readonly ingest: ApiIngest;
  readonly streamingOuts: StreamingOuts;
  readonly analyses: Analyses;
  readonly bridges: Pick<Bridges, 'create' | 'of' | 'get'>;
  readonly sip: ApiSip;
  readonly views: ViewPort;
  readonly avatars: AvatarSource;
  readonly recordings: ApiRecordings;
  readonly eventLog: EventLog;
  readonly audit: AuditStorePort;
  readonly idempotency: Idempotency;
  readonly webhooks: WebhooksPort;
  /** Places for those that follow events. */
  readonly streams: StreamSlots;
  readonly log: Logger;
  readonly metrics: ApiMetrics;
  readonly health: ApiHealth;
  readonly nodes: NodesPort;
  readonly tracer?: ApiTracer | undefined;
  readonly limits: ApiLimits;
  readonly config: Pick<Config, 'http' | 'auth' | 'rooms' | 'recordings' | 'hls' | 'sip'>;
  /** Folder of the built pages; `web/dist` of the project unless said. */
  readonly webRoot?: string | undefined;
}

/** Set for each request, before any handler runs. */
export interface ApiVariables {
  requestId: string;
  /** Of the client, seen through trusted proxies. */
  address: string;
  /** Scheme and host as the client wrote them, for links. */
  origin: string;
  log: Logger;
  rooms: Rooms;
  auth: Auth;
  audit: AuditStorePort;
  idempotency: Idempotency;
  limits: ApiLimits;
  /** Asks the application itself, as the same client. */
  inside: (request: Request) => Promise<Response>;
  /** Of routes that ask for a credential. */
  principal: Principal;
  credential: string;
}

export interface ApiEnv {
  Bindings: HttpBindings;
  Variables: ApiVariables;
}
