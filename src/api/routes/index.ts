// Owns: which resources there are. A new one is a file beside this and a line here. May import: the files beside it.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiEnv, ApiOptions } from '../api-env.ts';
import { analyticsRoutes } from './analytics.ts';
import { auditRoutes } from './audit.ts';
import { bridgeRoutes } from './bridges.ts';
import { callRoutes } from './calls.ts';
import { dispatchRuleRoutes } from './dispatch-rules.ts';
import { eventRoutes } from './events.ts';
import { jobRoutes } from './jobs.ts';
import { keyRoutes } from './keys.ts';
import { meetingRoutes } from './meetings.ts';
import { messageRoutes } from './messages.ts';
import { nodeRoutes } from './nodes.ts';
import { participantRoutes } from './participants.ts';
import { recordingRoutes } from './recordings.ts';
import { roomDialInRoutes } from './room-dial-in.ts';
import { roomViewRoutes } from './room-views.ts';
import { roomRoutes } from './rooms.ts';
import { healthRoutes, serverRoutes } from './server.ts';
import { sessionRoutes } from './sessions.ts';
import { sipAccountRoutes } from './sip-accounts.ts';
import { sipBanRoutes } from './sip-bans.ts';
import { sipCallRecordingRoutes } from './sipcall-recording.ts';
import { sipCallRoutes } from './sipcalls.ts';
import { statsRoutes } from './stats.ts';
import { streamKeyRoutes } from './stream-keys.ts';
import { streamingInRoutes } from './streaming-ins.ts';
import { streamingOutRoutes } from './streaming-outs.ts';
import { streamRoutes } from './streams.ts';
import { subscriptionRoutes } from './subscriptions.ts';
import { tokenRoutes } from './tokens.ts';
import { trunkRoutes } from './trunks.ts';
import { webhookRoutes } from './webhooks.ts';

export const resources: readonly ((options: ApiOptions) => OpenAPIHono<ApiEnv>)[] = [
  roomRoutes,
  roomViewRoutes,
  meetingRoutes,
  participantRoutes,
  streamRoutes,
  subscriptionRoutes,
  streamingInRoutes,
  streamingOutRoutes,
  recordingRoutes,
  analyticsRoutes,
  bridgeRoutes,
  sipCallRoutes,
  sipCallRecordingRoutes,
  roomDialInRoutes,
  callRoutes,
  dispatchRuleRoutes,
  trunkRoutes,
  sipAccountRoutes,
  sipBanRoutes,
  streamKeyRoutes,
  jobRoutes,
  tokenRoutes,
  messageRoutes,
  statsRoutes,
  keyRoutes,
  auditRoutes,
  eventRoutes,
  webhookRoutes,
  sessionRoutes,
  serverRoutes,
  nodeRoutes,
  healthRoutes,
];
