// Owns: what RTMP answers for each GatewayError. Pure. May import: core.

import type { ErrorCode, GatewayError } from '#core/errors.ts';
import type { CloseReason } from '#core/lifecycle.ts';
import type { StatusInfo } from './messages.ts';

/** Encoders show the description, and some (OBS) tell a wrong key from other failures by the code. */
const publishCodes: Partial<Record<ErrorCode, string>> = {
  unauthorized: 'NetStream.Publish.Unauthorized',
  forbidden: 'NetStream.Publish.Unauthorized',
  not_found: 'NetStream.Publish.BadName',
  invalid_request: 'NetStream.Publish.BadName',
  conflict: 'NetStream.Publish.BadName',
};

export function publishRefusal(error: GatewayError): StatusInfo {
  const code = publishCodes[error.code] ?? 'NetStream.Publish.Rejected';
  return { level: 'error', code, description: error.message };
}

export function playRefusal(error: GatewayError): StatusInfo {
  const code = error.code === 'not_found' ? 'NetStream.Play.StreamNotFound' : 'NetStream.Play.Failed';
  return { level: 'error', code, description: error.message };
}

export function connectRefusal(error: GatewayError): StatusInfo {
  const code = error.code === 'not_found' ? 'NetConnection.Connect.InvalidApp' : 'NetConnection.Connect.Rejected';
  return { level: 'error', code, description: error.message };
}

const dismissals: Partial<Record<CloseReason, string>> = {
  replaced: 'Another encoder has taken over this stream key.',
  kicked: 'A moderator has removed this stream.',
  drained: 'The server goes down for maintenance; connect again.',
};

/** What a publisher is told whom we end. */
export function dismissal(reason: CloseReason): StatusInfo {
  const description = dismissals[reason] ?? 'The stream was ended by the server.';
  return { level: 'error', code: 'NetStream.Publish.Rejected', description };
}
