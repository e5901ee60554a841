import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import Srf from 'drachtio-srf';
import { PassingMap } from '#core/passing-map.ts';
import type { AppEnd } from './server/index.ts';
import { teachAgent } from './srf-agent.ts';
import { teachInProcess } from './srf-in-process.ts';
import { teachMessages } from './srf-messages.ts';

// What we use of drachtio-srf 5, as it is: its own index.d.ts leaves out bodies, headers of CANCEL, and all of the agent.

export type Headers = Record<string, string>;

export interface SrfMessage {
  readonly method: string;
  readonly uri: string;
  readonly status: number;
  readonly reason: string;
  readonly body: string | undefined;
  readonly headers: Headers;
  readonly source_address: string;
  readonly source_port: number;
  readonly protocol: string;
  readonly receivedOn: string | undefined;
  get(name: string): string | undefined;
}

export interface SrfOutgoing extends SrfMessage, EventEmitter {
  cancel(options: { headers: Headers }, callback: (error: Error | null) => void): void;
}

export interface SrfIncoming extends SrfMessage, EventEmitter {}

export interface SendOptions {
  headers?: Headers;
  body?: string | undefined;
}

export interface SrfReply {
  readonly finalResponseSent: boolean;
  send(
    status: number,
    reason: string | undefined,
    options: SendOptions,
    callback?: (error: unknown, sent: SrfMessage | undefined) => void,
    onPrack?: (prack: SrfMessage) => void,
  ): void;
}

export interface SrfDialog extends EventEmitter {
  readonly sip: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
  readonly local: { sdp: string; readonly contact: string };
  readonly remote: { readonly uri: string; sdp: string | undefined };
  /** The INVITE that made it, and the answer. */
  readonly req: SrfMessage;
  readonly res: SrfMessage;
  connected: boolean;
  request(
    options: { method: string; headers: Headers; body?: string | undefined; noAck?: boolean },
    callback: (error: Error | null, response?: SrfMessage, ack?: (options: SendOptions) => void) => void,
  ): void;
}

export interface UacOptions {
  uri?: string;
  headers: Headers;
  localSdp?: string | undefined;
  proxy?: string | undefined;
  noAck?: boolean;
}

/** What createUAC gives for a call without an offer and with `noAck`. */
export interface UnacknowledgedCall {
  readonly sdp: string;
  ack(sdp: string): Promise<SrfDialog>;
  readonly res: SrfMessage;
}

export type CallFailure = Error & { status?: number; reason?: string; res?: SrfMessage };

interface WireProtocol extends EventEmitter {
  /** True keeps it from connecting again. */
  closing?: boolean;
  readonly reconnectVars: { retryTimer?: NodeJS.Timeout | null };
  send(socket: Socket, message: string): string;
}

export interface SrfApp extends EventEmitter {
  readonly app: { readonly client: { readonly wp: WireProtocol; readonly mapServer: Map<Socket, unknown> } };
  _dialogs: PassingMap<string, SrfDialog>;
  /** @param options.openInProcess see srf-in-process.ts */
  connect(options: { host: string; port: number; secret: string; openInProcess?: (() => AppEnd) | undefined }): void;
  disconnect(): void;
  use(method: string, handler: (request: SrfIncoming, reply: SrfReply) => void): void;
  createUAS(
    request: SrfIncoming,
    reply: SrfReply,
    options: { localSdp: string | undefined; headers: Headers },
    callback: (error: CallFailure | null, dialog?: SrfDialog) => void,
  ): void;
  createUAC(
    uri: string,
    options: UacOptions,
    progress: {
      cbRequest: (error: Error | null, request?: SrfOutgoing) => void;
      cbProvisional: (response: SrfMessage) => void;
    },
    callback: (error: CallFailure | null, dialog?: SrfDialog | UnacknowledgedCall) => void,
  ): void;
  request(
    uri: string,
    options: { method: string; headers: Headers; body?: string | undefined; proxy?: string | undefined },
    callback: (error: Error | null, request?: SrfOutgoing) => void,
  ): void;
}

teachInProcess();
teachAgent(teachMessages().parsedOf);

export function createSrf(): SrfApp {
  const app = new Srf() as unknown as SrfApp;
  app._dialogs = new PassingMap();
  return app;
}

const compactForms: Readonly<Record<string, string>> = {
  'refer-to': 'r',
  'referred-by': 'b',
  event: 'o',
  'allow-events': 'u',
  'session-expires': 'x',
  'content-encoding': 'e',
};

/** A header however it was written: drachtio-srf does not know all compact forms, and a real server passes them on. */
export function headerOf(message: SrfMessage, name: string): string | undefined {
  const compact = compactForms[name.toLowerCase()];
  return message.get(name) ?? (compact === undefined ? undefined : message.get(compact));
}

/** drachtio-srf writes into the headers it is given, and appends where one is there already. */
export function ownHeaders(headers: Readonly<Headers> | undefined): Headers {
  const own: Headers = {};
  for (const [name, value] of Object.entries(headers ?? {})) own[name] = value;
  return own;
}
