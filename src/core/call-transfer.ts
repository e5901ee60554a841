// Owns: the words for handing a call on to somebody else. Types only. May import: core only.

/** `left`: the phone hung up before it had said what came of it. */
export type CallTransferState = 'trying' | 'ringing' | 'done' | 'failed' | 'left';

/** The last that was tried of a call. */
export interface CallTransferInfo {
  /** `api`: we asked the phone to call somebody else; `phone`: it asked us. */
  readonly by: 'api' | 'phone';
  readonly kind: 'blind' | 'attended';
  readonly to: string;
  readonly state: CallTransferState;
  /** What the other side answered last. */
  readonly sipStatus: number | undefined;
  readonly message: string;
}

/** `to`: a SIP address, a number for the trunk of the call, or an account; `with`: the id of another call of ours, answered. */
export type CallTransferTarget =
  | { readonly kind: 'blind'; readonly to: string }
  | { readonly kind: 'attended'; readonly with: string };
