// Owns: the limits of a listener as the configuration has them, for tests that are about something else.
import type { ClientLimits } from '#api/http-listener.ts';
import { configSchema } from '#config/schema.ts';

const { http, limits } = configSchema.parse({});

export const usualLimits: ClientLimits = {
  maxHeaderBytes: http.maxHeaderBytes,
  headersTimeoutMs: http.headersTimeoutMs,
  requestTimeoutMs: http.requestTimeoutMs,
  maxConnectionsPerAddress: limits.maxConnectionsPerAddress,
  isProxy: () => false,
};
