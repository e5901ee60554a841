// Owns: the few values of the protocol that a browser needs at run time, apart from the schemas so that its bundle
// holds no validator. May import: nothing.

export const protocolVersion = 1;

/** WebSocket close codes (RFC 6455 §7.4.2, private range). */
export const closeCodes = {
  /** Left, kicked, room closed: do not come back by yourself. */
  ended: 4000,
  /** The first message was wrong, late or refused. */
  notJoined: 4001,
  tooManyMessages: 4002,
  /** Another socket resumed this session. */
  replaced: 4003,
  serverClosing: 4004,
  tooManyConnections: 4005,
} as const;
