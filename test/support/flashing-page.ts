// Owns: somebody in the meeting page whose camera flashes whenever the microphone beeps. Without vitest: benches use it.
import type { Browser, Page } from 'playwright-core';
import type { TestGateway } from './gateway.ts';

/** Once in so many seconds, for a fifth of one. */
const periodS = 2;
const lengthS = 0.2;

/** In place of the fake devices, by the sound's own clock. */
const flashingDevices = `{
  const devices = navigator.mediaDevices;
  devices.getUserMedia = async (wanted) => {
    const context = new AudioContext({ latencyHint: 'interactive' });
    const tone = new OscillatorNode(context, { frequency: 1000 });
    const gate = new GainNode(context, { gain: 0 });
    const microphone = context.createMediaStreamDestination();
    tone.connect(gate).connect(microphone);
    tone.start();
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const picture = canvas.getContext('2d');
    let beepsUntil = 0;
    setInterval(() => {
      const now = context.currentTime;
      if (now + 1 > beepsUntil) {
        const next = (Math.floor(beepsUntil / ${periodS}) + 1) * ${periodS};
        gate.gain.setValueAtTime(1, next);
        gate.gain.setValueAtTime(0, next + ${lengthS});
        beepsUntil = next;
      }
      picture.fillStyle = now >= ${periodS} && now % ${periodS} < ${lengthS} ? '#fff' : '#000';
      picture.fillRect(0, 0, 640, 360);
      picture.fillStyle = now % 0.1 < 0.05 ? '#222' : '#111';
      picture.fillRect(0, 0, 8, 8);
    }, 16);
    const stream = new MediaStream();
    if (wanted.video) stream.addTrack(canvas.captureStream(30).getVideoTracks()[0]);
    if (wanted.audio) stream.addTrack(microphone.stream.getAudioTracks()[0]);
    return stream;
  };
}`;

/** In place of the fake devices: pictures that hardly change, so that they are not taken for flashes. */
const steadyDevices = `{
  const devices = navigator.mediaDevices;
  const steady = (color) => async () => {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const picture = canvas.getContext('2d');
    let count = 0;
    setInterval(() => {
      picture.fillStyle = color;
      picture.fillRect(0, 0, 640, 360);
      picture.fillStyle = count++ % 2 ? '#222' : '#111';
      picture.fillRect(0, 0, 8, 8);
    }, 50);
    return canvas.captureStream(20);
  };
  devices.getUserMedia = steady('#402010');
  devices.getDisplayMedia = steady('#104020');
}`;

export interface FlashingPageOptions {
  readonly room: string;
  readonly name: string;
  /** Shows a steady picture, and has no microphone, instead. */
  readonly isPlain?: boolean;
}

export class FlashingPage {
  readonly page: Page;

  private constructor(page: Page) {
    this.page = page;
  }

  static async join(browser: Browser, gateway: TestGateway, options: FlashingPageOptions): Promise<FlashingPage> {
    const { room, name, isPlain = false } = options;
    const context = await browser.newContext({ viewport: { width: 1_280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.addInitScript({ content: isPlain ? steadyDevices : flashingDevices });
    const token = await gateway.token({ room, user: name, role: 'presenter' });
    await page.goto(`${gateway.url}/r/${room}#token=${token}`, { waitUntil: 'domcontentloaded' });
    await page.getByTestId('prejoin').waitFor();
    if (isPlain) await page.getByTestId('prejoin-mic').click();
    await page.getByTestId('join').click();
    await page.getByTestId('room').waitFor();
    return new FlashingPage(page);
  }

  press(testId: 'mic' | 'cam' | 'share'): Promise<void> {
    return this.page.getByTestId(testId).click();
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
