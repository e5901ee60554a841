// Owns: moments in words. Pure. May import: nothing.

let lastSecond = Number.NaN;
/** `2026-11-29T17:05:42.` */
let lastText = '';

/**
 * As `Date.toISOString()` has it: what happens in one second, and that is much, is put into words once but for its end.
 * @throws RangeError for what is no moment
 */
export function timeText(epochMs: number): string {
  const wholeMs = Math.trunc(epochMs);
  const second = Math.floor(wholeMs / 1_000);
  if (second !== lastSecond) {
    lastText = new Date(second * 1_000).toISOString().slice(0, -4);
    lastSecond = second;
  }
  return `${lastText}${String(wholeMs - second * 1_000).padStart(3, '0')}Z`;
}
