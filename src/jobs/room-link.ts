// Owns: the one plain transport between a media worker and a room's SFU side.
import type { SfuPlainTransport, SfuRoom } from '#core/ports.ts';
import type { MediaWorker } from './media-worker.ts';

let lastLinkId = 0;

/** Carries RTP of every job that its worker has in its room, both ways. Outlives the worker if the next has its port. */
export class RoomLink {
  readonly id: number = ++lastLinkId;
  readonly room: SfuRoom;
  readonly transport: SfuPlainTransport;
  /** Jobs that use it; closed with the last. */
  users = 0;

  static async open(room: SfuRoom, worker: MediaWorker): Promise<RoomLink> {
    const transport = await room.createPlainTransport();
    const link = new RoomLink(room, transport);
    try {
      link.tell(worker);
      await transport.connect({ ip: '127.0.0.1', port: worker.rtpPort });
    } catch (error) {
      transport.close();
      throw error;
    }
    return link;
  }

  private constructor(room: SfuRoom, transport: SfuPlainTransport) {
    this.room = room;
    this.transport = transport;
  }

  get isClosed(): boolean {
    return this.transport.isClosed;
  }

  /** Makes a worker know it. */
  tell(worker: MediaWorker): void {
    const { localAddress: ip, localPort: port } = this.transport;
    worker.send({ type: 'openLink', linkId: this.id, ip, port });
  }

  close(worker: MediaWorker | undefined): void {
    worker?.send({ type: 'closeLink', linkId: this.id });
    this.transport.close();
  }
}
