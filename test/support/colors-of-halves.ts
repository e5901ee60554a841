// Owns: what a page's video shows left and right, to be evaluated in the page.

/** @returns an expression for `nothing`, or whether the middle of each half is `red`, `blue` or `else`: `red,blue` */
export function colorsOfHalves(selector: string): string {
  return `(() => {
    const video = document.querySelector(${JSON.stringify(selector)});
    if (!video?.videoWidth) return 'nothing';
    const canvas = Object.assign(document.createElement('canvas'), { width: 100, height: 100 });
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, 100, 100);
    return [25, 75].map((x) => {
      const [red, , blue] = context.getImageData(x, 55, 1, 1).data;
      return red > 120 && blue < 90 ? 'red' : blue > 120 && red < 90 ? 'blue' : 'else';
    }).join();
  })()`;
}
