// Owns: a call that has ended, as it is remembered: what is known of it, and nothing of what it was made of.
import type { Call, CallInfo } from '#core/call.ts';
import { GatewayError } from '#core/errors.ts';

export class PastCall implements Call {
  readonly info: CallInfo;

  constructor(info: CallInfo) {
    this.info = info;
  }

  get id(): string {
    return this.info.id;
  }

  /** As of one that is on. */
  get done(): Promise<void> {
    return Promise.resolve();
  }

  async settled(): Promise<void> {
    // It is.
  }

  async hangUp(): Promise<void> {
    // It has ended.
  }

  setMuted(): never {
    throw ended();
  }

  setVideoMuted(): never {
    throw ended();
  }

  async setVideo(): Promise<never> {
    throw ended();
  }

  setGain(): never {
    throw ended();
  }

  async setHeld(): Promise<never> {
    throw ended();
  }

  async sendDtmf(): Promise<never> {
    throw ended();
  }

  forRecording(): never {
    throw ended();
  }
}

function ended(): GatewayError {
  return new GatewayError('closed', 'The call has ended.');
}
