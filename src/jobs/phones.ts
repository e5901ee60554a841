// Owns: PhonePort: legs in the mixes of their rooms, with their pictures, and the ports they are bound to.
import { isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { MixConfig, RtpConfig } from '#config/schema.ts';
import { GatewayError } from '#core/errors.ts';
import type { Leg } from '#core/leg.ts';
import { Owned } from '#core/lifecycle.ts';
import { Mix } from '#core/mix.ts';
import { PassingMap } from '#core/passing-map.ts';
import type { AllocateLegOptions, Logger, MediaPort, PhonePort } from '#core/ports.ts';
import { privateNetworks } from '#core/private-networks.ts';
import type { Room } from '#core/room.ts';
import { StartedOnce } from '#core/started-once.ts';
import type { VideoLeg } from '#core/video-leg.ts';
import type { VideoPhonePort } from '#core/video-phone-port.ts';
import { isInNetwork, reachingAddress } from './reaching-address.ts';
import { RtpPorts } from './rtp-ports.ts';

/** Ports that another program of this machine has are passed over, so many for one leg. */
const maxPortTries = 20;

export interface PhonesOptions {
  readonly media: MediaPort;
  readonly rtp: RtpConfig;
  readonly mix: MixConfig;
  readonly log: Logger;
}

export class Phones extends Owned implements PhonePort, VideoPhonePort {
  readonly legs = new PassingMap<number, Leg>();
  readonly #options: PhonesOptions;
  readonly #ports: RtpPorts;
  readonly #mixes = new StartedOnce<Room, Mix>();
  #lastLegId = 0;
  #isDraining = false;

  constructor(options: PhonesOptions) {
    super();
    this.#options = options;
    this.#ports = new RtpPorts(options.rtp);
  }

  async allocateLeg(options: AllocateLegOptions): Promise<Leg> {
    if (this.isClosed || this.#isDraining) throw new GatewayError('draining', 'This gateway takes no new calls.');
    let mix = await this.mixOf(options.room);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#addLeg(mix, options);
      } catch (error) {
        // The last phone left while this one came: the mix ended under it.
        const isTooLate = mix.isClosed && !options.room.isClosed && !this.isClosed;
        if (isTooLate && attempt < maxPortTries) {
          mix = await this.mixOf(options.room);
          continue;
        }
        if (!(error instanceof GatewayError) || error.code !== 'conflict') throw error;
        if (attempt === maxPortTries) {
          throw new GatewayError('overloaded', 'No UDP port for a call could be bound.', { cause: error });
        }
      }
    }
  }

  async openVideo(leg: Leg, options: Parameters<VideoPhonePort['openVideo']>[1]): Promise<VideoLeg> {
    for (let attempt = 1; ; attempt++) {
      const localPort = this.#ports.take(performance.now());
      const video = leg.openVideo({ ...options, localPort });
      void video.done.then(() => this.#ports.give(localPort, performance.now()));
      try {
        await video.opened;
        return video;
      } catch (error) {
        await video.close('failed');
        if (!(error instanceof GatewayError) || error.code !== 'conflict') throw error;
        if (attempt === maxPortTries) {
          throw new GatewayError('overloaded', 'No UDP port for video could be bound.', { cause: error });
        }
      }
    }
  }

  async moveLeg(leg: Leg, room: Room): Promise<void> {
    const from = [...this.#mixes.live.values()].find((mix) => mix.legs.get(leg.id) === leg);
    const to = await this.mixOf(room);
    if (to === from || leg.isClosed) return;
    await from?.release(leg);
    try {
      // With nobody in it the other mix may have ended meanwhile.
      await (await this.mixOf(room)).adopt(leg);
    } catch (error) {
      // It is nobody's any more who would.
      await leg.close('failed');
      throw error;
    }
  }

  mixOf(room: Room): Promise<Mix> {
    const { media, log, mix: config } = this.#options;
    const { loudest, promptsFolder } = config;
    return this.#mixes.of(room, async () =>
      this.own(await Mix.start({ room, media, log, spec: { kind: 'mix', loudest, promptsFolder } })),
    );
  }

  addressFor(remoteAddresses: readonly string[]): string {
    const { announcedAddress, listenAddress, localNetworks = privateNetworks } = this.#options.rtp;
    const isAny = listenAddress === '0.0.0.0' || listenAddress === '::';
    // A proxy on this machine is not where its phones are.
    const outside = remoteAddresses.find((each) => !isLoopback(each));
    const reaching = reachingAddress(outside ?? remoteAddresses[0] ?? '', networkInterfaces());
    if (reaching?.isLoopback) return reaching.address;
    const isLocal = remoteAddresses.every((each) => localNetworks.some((network) => isInNetwork(each, network)));
    if (announcedAddress !== undefined && !isLocal) return announcedAddress;
    return isAny ? (reaching?.address ?? '127.0.0.1') : listenAddress;
  }

  drain(): void {
    this.#isDraining = true;
  }

  undrain(): void {
    this.#isDraining = false;
  }

  async #addLeg(mix: Mix, { family, language }: AllocateLegOptions): Promise<Leg> {
    const { rtp, mix: config } = this.#options;
    const port = this.#ports.take(performance.now());
    const id = ++this.#lastLegId;
    const isOther = family === 'IPv6' && !isIPv6(rtp.listenAddress);
    const localAddress = family === 'loopback' ? '127.0.0.1' : isOther ? '::' : rtp.listenAddress;
    try {
      const leg = await mix.addLeg({
        id,
        localAddress,
        localPort: port,
        language: language ?? config.language,
        timeoutMs: rtp.timeoutMs,
      });
      this.legs.set(id, leg);
      void leg.done.then(() => {
        this.legs.delete(id);
        this.#ports.give(port, performance.now());
      });
      return leg;
    } catch (error) {
      this.#ports.give(port, performance.now());
      throw error;
    }
  }

  protected override onClose(): void {
    // What ran were children, and have gone.
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || isInNetwork(address, '127.0.0.0/8');
}
