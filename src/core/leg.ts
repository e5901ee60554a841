// Owns: one call leg as the SIP application sees it: where its media is received, what it hears and says. May import:
// core only.
import { EventEmitter } from 'node:events';
import { GatewayError } from './errors.ts';
import type {
  FarQuality,
  LegParameters,
  LegPosition,
  LegStats,
  PromptLanguage,
  PromptName,
  SpokenPrompt,
} from './leg-media.ts';
import { LegPlayback } from './leg-playback.ts';
import { LegStreams, type LegTrack } from './leg-streams.ts';
import { type CloseReason, Owned } from './lifecycle.ts';
import type { LegStanding, MixCommand, MixEvent, TapSound } from './mix-messages.ts';
import type { Participant } from './participant.ts';
import type { SfuPlainTransport } from './ports.ts';
import type { Room } from './room.ts';
import type { Publication } from './track.ts';
import { type PicturedLeg, VideoLeg, type VideoLegOptions } from './video-leg.ts';
import type { VideoLegCommand } from './video-leg-media.ts';

/** What a leg wants of the mix that it is in. */
export interface LegMix {
  /** Whose it is. */
  readonly room?: Room | undefined;
  /** The way of the room's streams to it; undefined before it has a worker. */
  readonly transport: SfuPlainTransport | undefined;
  send(command: MixCommand): void;
}

export interface LegOptions {
  readonly id: number;
  /** Where it is bound; the SIP application writes what the world is told, see `PhonePort.addressFor()`. */
  readonly localAddress: string;
  readonly localPort: number;
  readonly language: PromptLanguage;
  readonly timeoutMs: number;
}

export type LegEvents = {
  /** A key was pressed (RFC 4733): `0`-`9`, `*`, `#`, `A`-`D`. Once for each press. */
  dtmfReceived: [digit: string];
  /** Where its packets come from is known now. */
  latched: [{ readonly address: string; readonly port: number }];
  /** Neither RTP nor RTCP came for the time-out although the peer is to send; never while held or told not to. */
  timedOut: [];
  /** After `timedOut`: packets come again. */
  resumed: [];
  statsChanged: [stats: LegStats];
  /** Its media worker died, and another goes on with it. */
  restarted: [];
  /** It is in the mix of another room now. */
  moved: [];
  closed: [reason: CloseReason];
};

const maxDigits = 64;

/**
 * Made by `PhonePort.allocateLeg()`, with its ports bound. Prompts and digits work from the first `negotiate()`; it is
 * heard in the room between `enter()` and `leave()`.
 */
export class Leg extends Owned implements PicturedLeg {
  readonly id: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly events = new EventEmitter<LegEvents>();
  readonly timeoutMs: number;
  #mix: LegMix;
  readonly #playback: LegPlayback;
  #language: PromptLanguage;
  #parameters: LegParameters | undefined;
  #participant: Participant | undefined;
  #position: LegPosition | undefined;
  #ssrc = newSsrc();
  #isDescribed = false;
  #stats: LegStats | undefined;
  #isMuted = false;
  #isHeld = false;
  /** We spoke with each other once: who does not listen any more holds us. Who never did is a source of its own kind. */
  #wasTwoWay = false;
  #gainDb = 0;
  #far: FarQuality | undefined;
  #tapSound: TapSound | undefined;
  readonly #streams = new LegStreams(() => this.#tell());
  #video: VideoLeg | undefined;

  constructor(mix: LegMix, options: LegOptions) {
    super();
    this.#mix = mix;
    this.id = options.id;
    this.localAddress = options.localAddress;
    this.localPort = options.localPort;
    this.timeoutMs = options.timeoutMs;
    this.#language = options.language;
    this.#playback = new LegPlayback(options.id, (command) => this.#mix.send(command));
  }

  get localRtcpPort(): number {
    return this.localPort + 1;
  }
  /** Of what it sends. */
  get ssrc(): number {
    return this.#ssrc;
  }
  get participant(): Participant | undefined {
    return this.#participant;
  }
  /** Whose mix it is in. */
  get room(): Room | undefined {
    return this.#mix.room;
  }
  /** What it says and hears, while that is wanted; another after it has moved. Seen by nobody in the room. */
  get tap(): Publication | undefined {
    return this.#streams.tap;
  }
  get transport(): SfuPlainTransport | undefined {
    return this.#mix.transport;
  }
  /** The picture beside it, of a video phone. */
  get video(): VideoLeg | undefined {
    return this.#video;
  }
  get parameters(): LegParameters | undefined {
    return this.#parameters;
  }
  /** Undefined for the first second. */
  get stats(): LegStats | undefined {
    return this.#stats;
  }
  get isMuted(): boolean {
    return this.#isMuted;
  }
  get gainDb(): number {
    return this.#gainDb;
  }
  get isHeld(): boolean {
    return this.#isHeld;
  }

  get isHeldByPeer(): boolean {
    return this.#wasTwoWay && this.#parameters !== undefined && !/^send/.test(this.#parameters.direction);
  }

  get standing(): LegStanding {
    const isInMix = this.#participant !== undefined && !this.#participant.isClosed;
    const isWatched = this.#streams.voice?.isWatched ?? false;
    return {
      isInMix,
      isMuted: this.#isMuted || (this.#streams.voice?.isMuted ?? false),
      isHeld: this.#isHeld,
      isHeldByPeer: this.isHeldByPeer,
      gainDb: this.#gainDb,
      voice: !isInMix ? 'off' : isWatched ? 'always' : 'speaking',
      far: this.#far,
      tap: this.#tapSound,
    };
  }

  /** Takes effect at once, and may be called again with each offer and answer. Latches anew. */
  negotiate(parameters: LegParameters): void {
    this.#assertOpen();
    const isSameKey = parameters.srtp?.receiveKey === this.#parameters?.srtp?.receiveKey;
    this.#parameters = parameters;
    this.#wasTwoWay ||= parameters.direction === 'sendrecv';
    // Where we send from goes on; where the peer is and what it sent is found anew.
    if (this.#position) {
      const receiveIndex = isSameKey ? this.#position.receiveIndex : undefined;
      this.#position = { ...this.#position, receiveIndex, latched: undefined };
    }
    this.#mix.send({ type: 'negotiateLeg', legId: this.id, parameters });
    this.#tell();
  }

  /** From now on it hears the room and is heard; its voice becomes a publication of the participant. */
  enter(participant: Participant): void {
    this.#assertOpen();
    this.#participant = participant;
    participant.events.on('closed', () => {
      if (this.#participant === participant) this.leave();
    });
    this.#tell();
  }

  /** Back to prompts and digits. The participant is the caller's to close. */
  leave(): void {
    this.#participant = undefined;
    this.#streams.forgetVoice();
    this.#tell();
  }

  /** By the leg's own side (API, a key it pressed); moderators mute its publication, which counts as well. */
  setMuted(isMuted: boolean): void {
    this.#isMuted = isMuted;
    this.#tell();
  }

  /** We hold it: it hears music instead of the room and is not heard. Its direction is what was negotiated. */
  setHold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#tell();
  }

  /** @param gainDb -40..20 */
  setGain(gainDb: number): void {
    this.#gainDb = Math.max(-40, Math.min(20, gainDb));
    this.#tell();
  }

  /** What is beyond a bridge counts in its statistics. */
  setFarQuality(far: FarQuality): void {
    this.#far = far;
    this.#tell();
  }

  /** For a recording: what it says and hears becomes a stream, in whichever room it is. @param sound undefined: no longer */
  setTap(sound: TapSound | undefined): void {
    this.#tapSound = sound;
    if (!sound) this.unpublishTap();
    this.#tell();
  }

  setLanguage(language: PromptLanguage): void {
    this.#language = language;
  }

  /**
   * Plays recordings one after the other, over whatever it hears; the room is lowered meanwhile. Replaces what plays.
   * @returns whether it was heard to its end; false when something else was played or it was stopped
   */
  play(
    prompts: PromptName | readonly (PromptName | SpokenPrompt)[],
    options: { isRepeated?: boolean } = {},
  ): Promise<boolean> {
    this.#assertOpen();
    return this.#playback.play(prompts, this.#language, options.isRepeated ?? false);
  }

  stopPlaying(): void {
    this.#playback.stop();
  }

  /** @throws GatewayError `invalid_request`; `not_acceptable` where the peer takes no digits in RTP */
  sendDtmf(digits: string, options: { durationMs?: number } = {}): void {
    this.#assertOpen();
    if (!/^[0-9*#A-D,]+$/i.test(digits) || digits.length > maxDigits) {
      throw new GatewayError(
        'invalid_request',
        `Digits are 0-9, *, #, A-D and a comma for a pause, ${maxDigits} at most.`,
      );
    }
    if (!this.#parameters?.send.dtmf) {
      throw new GatewayError('not_acceptable', 'The other side takes no digits in RTP; send them by SIP INFO.');
    }
    const durationMs = Math.max(40, Math.min(6_000, options.durationMs ?? 160));
    this.#mix.send({ type: 'sendDtmf', legId: this.id, digits: digits.toUpperCase(), durationMs });
  }

  /** Its picture, on ports of its own; another one once that has ended. */
  openVideo(options: VideoLegOptions): VideoLeg {
    this.#assertOpen();
    const video = this.own(new VideoLeg(this, options));
    this.#video = video;
    void video.done.then(() => {
      if (this.#video === video) this.#video = undefined;
    });
    video.describe();
    return video;
  }

  send(command: VideoLegCommand): void {
    this.#mix.send(command);
  }

  /** For the mix that takes it over: from now on it is that one's, and what was playing has ended. */
  joinMix(mix: LegMix): void {
    this.#mix = mix;
    this.#playback.forget();
    this.events.emit('moved');
  }

  // ── Called by its mix ────────────────────────────────────────────────────────────────────────────────────────────

  /** Says everything again to a worker that knows nothing of it. */
  describe(): MixCommand[] {
    const legId = this.id;
    // A worker that died before it told its position: under the same key no number may come again (RFC 3711 §9.1).
    if (this.#isDescribed && !this.#position && this.#parameters?.srtp) this.#ssrc = newSsrc();
    this.#isDescribed = true;
    const open: MixCommand = {
      type: 'openLeg',
      legId,
      address: this.localAddress,
      port: this.localPort,
      ssrc: this.ssrc,
      standing: this.standing,
      position: this.#position,
      timeoutMs: this.timeoutMs,
    };
    const commands: MixCommand[] = [open];
    if (this.#parameters) commands.push({ type: 'negotiateLeg', legId, parameters: this.#parameters });
    commands.push(...this.#playback.describe(this.#language));
    return commands;
  }

  /** What was being played ended with its worker. */
  noteRestart(): void {
    this.#playback.noteRestart();
    this.events.emit('restarted');
  }

  receive(event: MixEvent): void {
    if (this.isClosed) return;
    switch (event.type) {
      case 'legDtmf':
        this.events.emit('dtmfReceived', event.digit);
        return;
      case 'legLatched':
        this.events.emit('latched', { address: event.address, port: event.port });
        return;
      case 'legPlayed':
        this.#playback.notePlayed(event.playId, event.isWhole);
        return;
      case 'legSilent':
        this.events.emit('timedOut');
        return;
      case 'legHeard':
        this.events.emit('resumed');
        return;
      case 'legReport':
        this.#stats = event.stats;
        this.#position = event.position;
        this.events.emit('statsChanged', event.stats);
        return;
      case 'videoOpened':
      case 'videoRefused':
      case 'videoKeyFrameWanted':
      case 'videoKeyFrameAsked':
      case 'videoReport':
        this.#video?.receive(event);
        return;
    }
  }

  /** Its voice is there as a stream. @throws GatewayError as `participant.publish()` does */
  async publishVoice(transport: SfuPlainTransport, track: LegTrack): Promise<void> {
    const participant = this.#participant;
    const isWanted = () => this.#participant === participant && !this.isClosed;
    if (participant) await this.#streams.publishVoice({ by: participant, transport, track, isWanted });
  }

  unpublishVoice(): void {
    this.#streams.unpublishVoice();
  }

  /** @param by whom it is published, whom nobody sees */
  async publishTap(by: Participant, transport: SfuPlainTransport, track: LegTrack): Promise<void> {
    const isWanted = () => !this.isClosed && this.#tapSound !== undefined && by.room === this.room;
    await this.#streams.publishTap({ by, transport, track, isWanted });
  }

  unpublishTap(): void {
    this.#streams.unpublishTap();
  }

  #tell(): void {
    if (this.isClosed) return;
    this.#mix.send({ type: 'setLeg', legId: this.id, standing: this.standing });
    this.#video?.review();
  }

  #assertOpen(): void {
    if (this.isClosed) throw new GatewayError('closed', 'This call leg is over.');
  }

  protected override onClose(reason: CloseReason): void {
    this.#playback.forget();
    this.#streams.unpublishVoice();
    this.unpublishTap();
    this.#mix.send({ type: 'closeLeg', legId: this.id });
    this.events.emit('closed', reason);
  }
}

const newSsrc = () => 1 + Math.floor(Math.random() * 0xfffffffe);
