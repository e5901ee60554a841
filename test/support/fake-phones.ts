// Legs without media workers: they take what they are told, and nothing is ever heard.
import { Leg } from '#core/leg.ts';
import type { Mix } from '#core/mix.ts';
import type { AllocateLegOptions, PhonePort } from '#core/ports.ts';
import type { VideoLeg } from '#core/video-leg.ts';
import type { VideoPhonePort } from '#core/video-phone-port.ts';

export class FakePhones implements PhonePort, VideoPhonePort {
  readonly legs = new Map<number, Leg>();
  #lastId = 0;

  async allocateLeg({ room, language = 'en' }: AllocateLegOptions): Promise<Leg> {
    const id = ++this.#lastId;
    const mix = { transport: undefined, send: () => undefined };
    const port = 20_000 + 2 * (id % 1_000);
    const leg = new Leg(mix, { id, localAddress: '127.0.0.1', localPort: port, language, timeoutMs: 30_000 });
    this.legs.set(id, leg);
    void leg.done.then(() => this.legs.delete(id));
    room.events.once('closed', () => void leg.close('parent_closed'));
    return leg;
  }

  moveLeg(): Promise<void> {
    return Promise.resolve();
  }

  addressFor(): string {
    return '127.0.0.1';
  }

  mixOf(): Promise<Mix> {
    return Promise.reject(new Error('There are no mixes here.'));
  }

  async openVideo(leg: Leg, options: Parameters<VideoPhonePort['openVideo']>[1]): Promise<VideoLeg> {
    return leg.openVideo({ ...options, localPort: leg.localPort + 1_000 });
  }
}
