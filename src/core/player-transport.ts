// Owns: how the SFU sends a stream straight to a player of plain RTP (RTSP by UDP). Types only. May import: core.
import type { ConsumeOptions, SfuConsumer } from './ports.ts';

export interface PlayerTransportOptions {
  /** Ours: RTP leaves from this port, RTCP from the next. */
  readonly localAddress: string;
  readonly localPort: number;
  /** The player's, which nobody but itself may have named. */
  readonly address: string;
  readonly rtpPort: number;
  readonly rtcpPort: number;
}

/** RTP and RTCP on ports of their own, to one player; what comes from elsewhere is not listened to. */
export interface SfuPlayerTransport {
  readonly isClosed: boolean;
  consume(options: ConsumeOptions): Promise<SfuConsumer>;
  /** Of reports that the player has sent: more of them, and it lives. */
  receivedBytes(): Promise<number>;
  close(): void;
}
