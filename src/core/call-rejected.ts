// Owns: the refusal of a call as SIP has it. May import: core.
import { type ErrorCode, GatewayError } from './errors.ts';

/** A call that a rule rejects, with a status of its own. */
export class CallRejected extends GatewayError {
  readonly sipStatus: number;
  /** What the caller is told of the reason, who may be anybody: the log and the record have all of it. */
  readonly told: string;
  constructor(sipStatus: number, code: ErrorCode, reason: string, told = reason) {
    super(code, reason);
    this.sipStatus = sipStatus;
    this.told = told;
  }
}
