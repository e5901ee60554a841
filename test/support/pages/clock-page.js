// In place of the camera: the wall clock in hundredths of a second, sixteen bits, each a bar from top to bottom of the middle third.
// And the reader of it, for whatever video shows it. Loaded by a bench.
globalThis.clock = {
  bits: 16,
  now: () => Math.floor(Date.now() / 10) & 0xffff,
  /** @returns a stream of 640x360 at 30 Hz */
  camera() {
    const canvas = Object.assign(document.createElement('canvas'), { width: 640, height: 360 });
    const context = canvas.getContext('2d');
    setInterval(() => {
      const value = this.now();
      context.fillStyle = '#204060';
      context.fillRect(0, 0, 640, 360);
      for (let bit = 0; bit < this.bits; bit++) {
        context.fillStyle = (value >> bit) & 1 ? '#fff' : '#000';
        context.fillRect(bit * 40, 120, 40, 120);
      }
    }, 1_000 / 30);
    return canvas.captureStream(30);
  },
  /** @returns how old the picture is, milliseconds; NaN where there is none */
  ageMs(video) {
    const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 36 });
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(video, 0, 0, 64, 36);
    const row = context.getImageData(0, 18, 64, 1).data;
    let value = 0;
    let isSharp = true;
    for (let bit = 0; bit < this.bits; bit++) {
      const luma = row[(bit * 4 + 2) * 4 + 1];
      if (luma > 160) value |= 1 << bit;
      else if (luma > 90) isSharp = false;
    }
    return isSharp && value !== 0 ? ((this.now() - value) & 0xffff) * 10 : Number.NaN;
  },
};
