// Owns: somebody in the meeting page, with a fake camera and microphone, and what they see and hear.
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { vi } from 'vitest';
import type { TestGateway } from './gateway.ts';
import { addProbe, givePageBack, takePage, usualViewport } from './page-pool.ts';

/** Enough where a machine has less than half the time that a page wants. */
const waitMs = 40_000;
/** A page that shows a camera is loaded once its first picture is there, for which Chromium's devices may take forever. */
const hasDocument = { waitUntil: 'domcontentloaded' } as const;
const tracks = '[...switchyard.state.value.subscriptions.values()].map(({ track }) => track)';

export interface MeetingPeerOptions {
  readonly name: string;
  readonly room: string;
  readonly role?: string;
  readonly isCameraOn?: boolean;
  readonly isMicrophoneOn?: boolean;
  /** `?mode=mcu` */
  readonly search?: string;
  /** Where the page comes from, if not from the gateway itself. */
  readonly url?: string;
  readonly context?: BrowserContextOptions;
  /** Runs in the page before its own scripts. */
  readonly script?: string;
}

/**
 * In place of the fake microphone, whose beeps of 20 ms are shorter than any speech: a tone without a break, as somebody
 * who talks is for the meters of the server.
 */
export const steadyVoice = `{
  const devices = navigator.mediaDevices;
  const open = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (constraints) => {
    const stream = await open(constraints);
    for (const track of stream.getAudioTracks()) {
      const context = new AudioContext();
      const voice = new OscillatorNode(context, { frequency: 440 });
      const microphone = context.createMediaStreamDestination();
      voice.connect(new GainNode(context, { gain: 0.3 })).connect(microphone);
      voice.start();
      stream.removeTrack(track);
      track.stop();
      stream.addTrack(microphone.stream.getAudioTracks()[0]);
    }
    return stream;
  };
}`;

export interface OpenOptions {
  readonly name: string;
  readonly context?: BrowserContextOptions;
  /** Runs in the page before its own scripts. */
  readonly script?: string;
}

let roomCount = 0;

/** A room of its own for each test: whoever was cut off in another one keeps a place there for a while. */
export async function freshRoom(gateway: TestGateway): Promise<string> {
  roomCount += 1;
  const name = `room-${roomCount}`;
  await gateway.api('POST', '/api/rooms', { name });
  return name;
}

export class MeetingPeer {
  readonly page: Page;
  readonly name: string;
  /** Uncaught errors and refusals by the content security policy: a good page has none. */
  readonly errors: string[] = [];
  #closed: Promise<void> | undefined;

  private constructor(page: Page, name: string) {
    this.page = page;
    this.name = name;
    page.setDefaultTimeout(waitMs);
    page.on('pageerror', (error) => this.errors.push(error.message));
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) this.errors.push(message.text());
    });
  }

  /** Opens any page of the gateway, with the probe in it. */
  static async open(browser: Browser, url: string, options: OpenOptions): Promise<MeetingPeer> {
    if (options.context || options.script) {
      return MeetingPeer.openIn(
        await browser.newContext({ viewport: usualViewport, ...options.context }),
        url,
        options,
      );
    }
    const peer = new MeetingPeer(await takePage(browser), options.name);
    await peer.page.goto(url, hasDocument);
    return peer;
  }

  static async openIn(context: BrowserContext, url: string, options: OpenOptions): Promise<MeetingPeer> {
    const peer = new MeetingPeer(await context.newPage(), options.name);
    await addProbe(peer.page);
    if (options.script) await peer.page.addInitScript({ content: options.script });
    await peer.page.goto(url, hasDocument);
    return peer;
  }

  /** At the door, with a link of its own. */
  static async arrive(browser: Browser, gateway: TestGateway, options: MeetingPeerOptions): Promise<MeetingPeer> {
    const { name, room, role = 'presenter', search = '', url = gateway.url } = options;
    const token = await gateway.token({ room, user: name, role });
    const peer = await MeetingPeer.open(browser, `${url}/r/${room}${search}#token=${token}`, options);
    await peer.at('prejoin').waitFor();
    if (options.isCameraOn === false) await peer.at('prejoin-cam').click();
    if (options.isMicrophoneOn === false) await peer.at('prejoin-mic').click();
    return peer;
  }

  static async join(browser: Browser, gateway: TestGateway, options: MeetingPeerOptions): Promise<MeetingPeer> {
    const peer = await MeetingPeer.arrive(browser, gateway, options);
    await peer.at('join').click();
    await peer.at('room').waitFor();
    return peer;
  }

  at(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  /** Selector of the tile that shows somebody's camera, or screen. */
  tile(name: string, kind: 'camera' | 'screen' = 'camera'): string {
    return `[data-testid=tile][data-name="${name}"][data-kind=${kind}]`;
  }

  async participantId(name: string): Promise<string> {
    const id = await this.page.locator(this.tile(name)).getAttribute('data-participant');
    if (!id) throw new Error(`${this.name} has no tile of ${name}`);
    return id;
  }

  /** Until so many frames more have been painted than there are now; the fake camera gives ten a second. */
  async seesFrames(name: string, kind: 'camera' | 'screen' = 'camera', count = 5): Promise<void> {
    const selector = this.tile(name, kind);
    await this.page.evaluate(`probe.forgetFrames(${JSON.stringify(selector)})`);
    await this.until(`probe.hasMoreFrames(${JSON.stringify(selector)}, ${count})`);
  }

  /** What is received now, so that `receivesAnew` knows it. */
  async notesTracks(): Promise<void> {
    await this.page.evaluate(`globalThis.tracksBefore = new Set(${tracks}); undefined`);
  }

  /**
   * Until all that was received is received by other tracks. That there are none in between may last for less than a page of a
   * busy machine takes to answer.
   */
  async receivesAnew(): Promise<void> {
    await this.until(`${tracks}.length === tracksBefore.size && !${tracks}.some((track) => tracksBefore.has(track))`);
  }

  /** Until the beeps of the fake microphone are heard. */
  async hears(name: string): Promise<void> {
    await this.until(`probe.loudness(${JSON.stringify(await this.participantId(name))}) > 0.02`);
  }

  /** Beeps come every second: two seconds and a half without one are silence. */
  async hearsNothingOf(name: string): Promise<void> {
    const id = JSON.stringify(await this.participantId(name));
    await this.page.evaluate('globalThis.quietSinceMs = performance.now()');
    await this.until(`(() => {
      if (probe.loudness(${id}) > 0.005) globalThis.quietSinceMs = performance.now();
      return performance.now() - globalThis.quietSinceMs > 2_500;
    })()`);
  }

  /** Asked from here and not by Playwright in the page: the pages' policy forbids `eval`, as it should. */
  async until(expression: string): Promise<void> {
    const holds = () => this.page.evaluate<boolean>(expression);
    await vi.waitUntil(holds, { timeout: waitMs, interval: 50 }).catch((cause: unknown) => {
      throw new Error(`${this.name} waited in vain for: ${expression}`, { cause });
    });
  }

  /** Of the connection behind the page, which hangs on the window as `switchyard`. */
  value<T>(expression: string): Promise<T> {
    return this.page.evaluate<T>(expression);
  }

  /** Of no more use afterwards: its page may be somebody else's. */
  close(): Promise<void> {
    this.#closed ??= givePageBack(this.page);
    return this.#closed;
  }
}
