// Owns: the pictures of the calls of one mix, each by its leg.
import { firstVideoTrackId, type VideoLegCommand, type VideoLegEvent } from '#core/video-leg-media.ts';
import type { JobContext } from '../job-context.ts';
import { VideoLeg } from '../legs/video-leg.ts';

type OpenVideo = Extract<VideoLegCommand, { type: 'openVideo' }>;

export class VideoLegs {
  readonly #context: JobContext;
  readonly #tell: (event: VideoLegEvent) => void;
  readonly #legs = new Map<number, VideoLeg>();
  /** Commands for one whose ports are being bound wait for it. */
  readonly #opening = new Map<number, VideoLegCommand[]>();
  #isClosed = false;

  constructor(context: JobContext, tell: (event: VideoLegEvent) => void) {
    this.#context = context;
    this.#tell = tell;
  }

  command(command: VideoLegCommand): void {
    const { legId } = command;
    const waiting = this.#opening.get(legId);
    if (waiting) waiting.push(command);
    else if (command.type === 'openVideo') void this.#open(command);
    else this.#commandLeg(command);
  }

  /** With its voice, too. */
  closeLeg(legId: number): void {
    this.command({ type: 'closeVideo', legId });
  }

  close(): void {
    this.#isClosed = true;
    for (const leg of this.#legs.values()) leg.close();
    this.#legs.clear();
  }

  async #open({ legId, address, port, ssrc, cname, receiveIndex }: OpenVideo): Promise<void> {
    if (this.#legs.has(legId)) return;
    this.#opening.set(legId, []);
    try {
      const leg = await VideoLeg.open({
        ...{ legId, trackId: firstVideoTrackId + legId, local: { address, port }, ssrc, cname, receiveIndex },
        ...{ context: this.#context, tell: this.#tell },
      });
      if (this.#isClosed) leg.close();
      else this.#legs.set(legId, leg);
      this.#tell({ type: 'videoOpened', legId });
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#tell({ type: 'videoRefused', legId, message: text.slice(0, 500) });
    }
    const waiting = this.#opening.get(legId) ?? [];
    this.#opening.delete(legId);
    for (const command of waiting) this.command(command);
  }

  #commandLeg(command: Exclude<VideoLegCommand, OpenVideo>): void {
    const leg = this.#legs.get(command.legId);
    switch (command.type) {
      case 'negotiateVideo':
        this.#negotiate(leg, command);
        return;
      case 'setVideo':
        leg?.stand(command.standing);
        return;
      case 'closeVideo':
        leg?.close();
        this.#legs.delete(command.legId);
        return;
    }
  }

  #negotiate(
    leg: VideoLeg | undefined,
    { legId, parameters }: Extract<VideoLegCommand, { type: 'negotiateVideo' }>,
  ): void {
    try {
      leg?.negotiate(parameters);
    } catch (error) {
      // Keys that are none: the call goes on without a picture.
      const message = error instanceof Error ? error.message : String(error);
      const fields = { leg: legId, message };
      this.#context.send({ type: 'log', level: 'warn', fields, message: 'video not negotiated' });
    }
  }
}
