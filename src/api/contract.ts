// Owns: the shape of every resource of the HTTP API. May import: ./contract; web/ imports its types.
//
// Times are RFC 3339 strings in UTC (`createdAt`), durations milliseconds (`ttlMs`). Objects that clients send refuse
// unknown keys, so that a misspelt one is not silently without effect.

export * from './contract/analytics.ts';
export * from './contract/audit.ts';
export * from './contract/bridges.ts';
export * from './contract/events.ts';
export * from './contract/jobs.ts';
export * from './contract/keys.ts';
export * from './contract/media-source.ts';
export * from './contract/meetings.ts';
export * from './contract/messages.ts';
export * from './contract/nodes.ts';
export * from './contract/participants.ts';
export * from './contract/pieces.ts';
export * from './contract/problem.ts';
export * from './contract/recordings.ts';
export * from './contract/room-media.ts';
export * from './contract/room-views.ts';
export * from './contract/rooms.ts';
export * from './contract/server.ts';
export * from './contract/sessions.ts';
export * from './contract/sip.ts';
export * from './contract/sip-accounts.ts';
export * from './contract/sip-bans.ts';
export * from './contract/sipcalls.ts';
export * from './contract/stats.ts';
export * from './contract/stream-keys.ts';
export * from './contract/streaming-ins.ts';
export * from './contract/streaming-outs.ts';
export * from './contract/streams.ts';
export * from './contract/subscriptions.ts';
export * from './contract/tokens.ts';
export * from './contract/trunks.ts';
export * from './contract/webhooks.ts';
