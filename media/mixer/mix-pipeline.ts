// Owns: the mix of one room as a job: takes commands, tells what happens, keeps the beat.
import type { LegParameters } from '#core/leg-media.ts';
import {
  firstTapTrackId,
  type LegStanding,
  type MixCommand,
  type MixEvent,
  type MixJobSpec,
  mixTrackId,
} from '#core/mix-messages.ts';
import type { VideoLegCommand } from '#core/video-leg-media.ts';
import type { JobContext, Pipeline, PipelineProgress } from '../job-context.ts';
import { CallLeg } from '../legs/call-leg.ts';
import type { RtpSender } from '../rtp/sender.ts';
import { clockNowUs } from '../rtp/sequence.ts';
import { LegTap } from './leg-tap.ts';
import { LegVoice } from './leg-voice.ts';
import { mixClock } from './mix-clock.ts';
import { MixInput } from './mix-input.ts';
import { type Listener, Mixer } from './mixer.ts';
import { Player } from './player.ts';
import { Prompts } from './prompts.ts';
import { VideoLegs } from './video-legs.ts';

/** All mixes of this process beat together: one timer, and no two of them in each other's way. */

type OpenLeg = Extract<MixCommand, { type: 'openLeg' }>;
type PlayToLeg = Extract<MixCommand, { type: 'playToLeg' }>;
type LegCommand = Exclude<
  MixCommand,
  VideoLegCommand | { type: 'openLeg' | 'addInput' | 'removeInput' | 'setMixTrack' }
>;

interface Member {
  readonly listener: Listener;
  voice: LegVoice | undefined;
  tap: LegTap | undefined;
}

export class MixPipeline implements Pipeline {
  readonly #context: JobContext;
  readonly #mixer: Mixer;
  readonly #prompts: Prompts;
  readonly #members = new Map<number, Member>();
  readonly #videos: VideoLegs;
  /** Commands for a leg whose ports are being bound wait for it. */
  readonly #opening = new Map<number, LegCommand[]>();
  #mixTrack: { readonly sender: RtpSender; readonly startUs: number; readonly startDueMs: number } | undefined;
  #isClosed = false;
  #framesIn = 0;

  constructor({ context, spec }: { context: JobContext; spec: MixJobSpec }) {
    this.#context = context;
    this.#prompts = new Prompts(spec.promptsFolder);
    this.#videos = new VideoLegs(context, (event) => this.#tell(event));
    this.#mixer = new Mixer({
      loudest: spec.loudest,
      onPlayed: ({ id: legId }, playId) => this.#tell({ type: 'legPlayed', legId, playId, isWhole: true }),
    });
  }

  start(): void {
    mixClock.add(this.#run);
    this.#context.report('live', 'media_flowing', 'Mixing.');
  }

  relinked(): void {
    this.#context.report('live', 'media_flowing', 'Mixing.');
  }

  get progress(): PipelineProgress {
    let bytesIn = 0;
    let framesDropped = 0;
    for (const { listener } of this.#members.values()) {
      const { stats } = listener.leg;
      bytesIn += stats.bytesReceived;
      framesDropped += stats.framesConcealed;
    }
    return {
      bytesIn,
      framesIn: this.#framesIn,
      framesDropped,
      keyFrames: 0,
      avOffsetMs: undefined,
      bitrateInBps: 0,
      memoryBytes: this.#members.size * 50_000,
    };
  }

  command(command: MixCommand): void {
    switch (command.type) {
      case 'openLeg':
        void this.#open(command);
        return;
      case 'addInput':
        this.#addInput(new MixInput(command));
        return;
      case 'removeInput':
        this.#removeInput(command.inputId);
        return;
      case 'setMixTrack':
        this.#setMixTrack(command.isOn);
        return;
      case 'openVideo':
      case 'negotiateVideo':
      case 'setVideo':
      case 'closeVideo':
        this.#videos.command(command);
        return;
      default:
        this.#commandLeg(command);
    }
  }

  close(): void {
    this.#isClosed = true;
    mixClock.remove(this.#run);
    for (const input of this.#mixer.inputs) this.#context.unlisten(input.info.ssrc);
    this.#videos.close();
    for (const id of [...this.#members.keys()]) this.#closeLeg(id);
    this.#mixer.close();
  }

  readonly #run = (dueMs: number, skipped: number) => {
    this.#context.account(() => {
      this.#mixer.run(dueMs, skipped);
      const { beat } = this.#mixer;
      const clockUs = toClockUs(dueMs);
      for (const { listener, voice, tap } of this.#members.values()) {
        const { leg, source } = listener;
        voice?.step(source, beat, leg.speaks, leg.standing.voice === 'always');
        tap?.step(dueMs, clockUs, source.frame(beat), listener.heard?.samples);
      }
      this.#sendMix(dueMs);
      this.#measureDelays(toClockUs(dueMs));
      this.#framesIn += this.#mixer.decodedVoices;
      this.#mixer.endBeat();
    });
  };

  /** Stamped with the beat that is due, whatever timers do: pictures of the same moment have the same. */
  #sendMix(dueMs: number): void {
    if (!this.#mixTrack) return;
    const { startDueMs } = this.#mixTrack;
    if (Number.isNaN(startDueMs)) this.#mixTrack = { ...this.#mixTrack, startUs: toClockUs(dueMs), startDueMs: dueMs };
    const track = this.#mixTrack;
    const clockUs = track.startUs + Math.round((dueMs - track.startDueMs) * 1_000);
    track.sender.sendFrame([this.#mixer.shared.payload('opus')], clockUs, { marker: false });
  }

  #measureDelays(beatUs: number): void {
    for (const input of this.#mixer.inputs) {
      input.measure(beatUs);
      const delayMs = input.delay.news();
      if (delayMs !== undefined) this.#tell({ type: 'mixInputDelayed', inputId: input.info.inputId, delayMs });
    }
  }

  async #open({ legId: id, address, port, ssrc, standing, position, timeoutMs }: OpenLeg): Promise<void> {
    if (this.#members.has(id) || this.#opening.has(id)) return;
    this.#opening.set(id, []);
    try {
      const leg = await CallLeg.open({
        id,
        local: { address, port },
        ssrc,
        standing,
        position,
        timeoutMs,
        send: (event) => this.#tell(event),
        onVoice: (codec, timestamp, payload) => {
          const member = this.#members.get(id);
          member?.voice?.pass(codec, timestamp, payload, leg.standing.voice === 'always');
        },
      });
      this.#admit(leg);
    } catch (error) {
      this.#opening.delete(id);
      const text = error instanceof Error ? error.message : String(error);
      this.#tell({ type: 'legRefused', legId: id, message: text.slice(0, 500) });
    }
  }

  #admit(leg: CallLeg): void {
    const waiting = this.#opening.get(leg.id);
    this.#opening.delete(leg.id);
    if (this.#isClosed) {
      leg.close();
      return;
    }
    this.#members.set(leg.id, { listener: this.#mixer.addLeg(leg), voice: undefined, tap: undefined });
    this.#stand(leg.id, leg.standing);
    this.#tell({ type: 'legOpened', legId: leg.id });
    for (const command of waiting ?? []) this.#commandLeg(command);
  }

  #commandLeg(command: LegCommand): void {
    const { legId } = command;
    const waiting = this.#opening.get(legId);
    if (waiting) {
      waiting.push(command);
      return;
    }
    const member = this.#members.get(legId);
    if (!member) return;
    const { listener } = member;
    switch (command.type) {
      case 'negotiateLeg':
        this.#negotiate(listener, command.parameters);
        return;
      case 'setLeg':
        this.#stand(legId, command.standing);
        return;
      case 'playToLeg':
        this.#play(listener, command);
        return;
      case 'stopPlaying':
        this.#endPlayer(listener);
        return;
      case 'sendDtmf':
        listener.leg.output.dtmf.push(command.digits, command.durationMs);
        return;
      case 'closeLeg':
        this.#closeLeg(legId, command.isMoving);
        this.#tell({ type: 'legClosed', legId });
        return;
    }
  }

  #negotiate({ leg }: Listener, parameters: LegParameters): void {
    try {
      leg.negotiate(parameters);
    } catch (error) {
      // Keys that are none: the leg stays without media, and its silence ends the call.
      const message = error instanceof Error ? error.message : String(error);
      this.#context.send({
        type: 'log',
        level: 'warn',
        fields: { leg: leg.id, message },
        message: 'leg not negotiated',
      });
    }
  }

  #stand(legId: number, standing: LegStanding): void {
    const member = this.#members.get(legId);
    if (!member) return;
    const { listener } = member;
    listener.leg.standing = standing;
    if (!standing.isHeld) listener.music = undefined;
    else listener.music ??= this.#makePlayer(0, [{ name: 'hold_music' }], 'any', true);
    if (standing.voice !== 'off' && !member.voice) {
      const events = { published: () => undefined, keyFrameRequested: () => undefined };
      member.voice = new LegVoice(this.#context.openTrack(legId, 'audio', 'opus', events, { hasLevel: true }));
    } else if (standing.voice === 'off' && member.voice) {
      this.#endVoice(legId, member);
    }
    this.#tapAs(legId, member);
  }

  #tapAs(legId: number, member: Member, sound = member.listener.leg.standing.tap): void {
    if (member.tap?.sound === sound) return;
    const trackId = firstTapTrackId + legId;
    if (member.tap) {
      member.tap.close();
      member.tap = undefined;
      this.#context.endTrack(trackId);
    }
    if (!sound) return;
    const events = { published: () => undefined, keyFrameRequested: () => undefined };
    member.tap = new LegTap(this.#context.openTrack(trackId, 'audio', 'opus', events), sound);
  }

  #play(listener: Listener, { playId, prompts, language, isRepeated }: PlayToLeg): void {
    this.#endPlayer(listener);
    listener.player = this.#makePlayer(playId, prompts, language, isRepeated);
  }

  #makePlayer(playId: number, prompts: PlayToLeg['prompts'], language: string, isRepeated: boolean): Player {
    const recordings = prompts.map((one) => this.#prompts.get(one.name, one.language ?? language));
    return new Player({ playId, recordings, isRepeated });
  }

  #endPlayer(listener: Listener): void {
    const { player, leg } = listener;
    if (!player) return;
    listener.player = undefined;
    this.#tell({ type: 'legPlayed', legId: leg.id, playId: player.playId, isWhole: false });
  }

  #endVoice(legId: number, member: Member): void {
    member.voice?.close();
    member.voice = undefined;
    this.#context.endTrack(legId);
  }

  #closeLeg(id: number, isMoving = false): void {
    this.#videos.closeLeg(id);
    const member = this.#members.get(id);
    if (!member) return;
    if (member.voice) this.#endVoice(id, member);
    if (member.tap) {
      member.tap.close();
      this.#context.endTrack(firstTapTrackId + id);
    }
    this.#mixer.removeLeg(id);
    member.listener.leg.close(isMoving);
    this.#members.delete(id);
  }

  #addInput(input: MixInput): void {
    this.#mixer.addInput(input);
    const receive = (packet: Buffer) => input.receive(packet, performance.now());
    this.#context.listen(input.info.ssrc, receive, input.delay.captureClock);
  }

  #removeInput(inputId: number): void {
    const input = this.#mixer.removeInput(inputId);
    if (input) this.#context.unlisten(input.info.ssrc);
  }

  #setMixTrack(isOn: boolean): void {
    if (isOn && !this.#mixTrack) {
      const events = { published: () => undefined, keyFrameRequested: () => undefined };
      const sender = this.#context.openTrack(mixTrackId, 'audio', 'opus', events);
      this.#mixTrack = { sender, startUs: 0, startDueMs: Number.NaN };
    } else if (!isOn && this.#mixTrack) {
      this.#mixTrack = undefined;
      this.#context.endTrack(mixTrackId);
    }
  }

  #tell(event: MixEvent): void {
    if (!this.#isClosed) this.#context.send({ type: 'mixEvent', jobId: this.#context.id, event });
  }
}

/** From `performance.now()` to the clock that streams are stamped by. */
function toClockUs(nowMs: number): number {
  return clockNowUs() - Math.round((performance.now() - nowMs) * 1_000);
}
