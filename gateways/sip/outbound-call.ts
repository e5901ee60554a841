// Owns: what a call of ours is asked to be, and what comes of it. Types alone.
import type { SipAnswer, SipDialog, SipQuestion } from './dialog.ts';
import type { SipCredentials } from './digest.ts';
import type { Headers } from './srf-shapes.ts';

export interface CallOptions {
  /** Absent for a call whose peer makes the offer: `onOffer` then makes the answer. */
  readonly sdp?: string;
  readonly onOffer?: (sdp: string) => Promise<string>;
  readonly headers?: Headers;
  readonly proxy?: string;
  readonly credentials?: SipCredentials;
  /** 1xx: ringing and early media. */
  readonly onProgress?: (answer: SipAnswer) => void;
  /** An UPDATE before the answer: must be answered at once. */
  readonly onUpdate?: (question: SipQuestion) => void;
  readonly onDialog?: (dialog: SipDialog) => void;
}

export type CallOutcome =
  | { readonly kind: 'answered'; readonly dialog: SipDialog }
  | { readonly kind: 'refused'; readonly answer: SipAnswer };

export interface OutboundCall {
  /** Rejects only when the request could not be sent or the link is lost: GatewayError. */
  readonly outcome: Promise<CallOutcome>;
  cancel(headers?: Headers): void;
}
