// Owns: a PIN as people read it out. Pure.

/** `471100` is `471 100`, `4711` is `47 11`. */
export function spokenPin(pin: string): string {
  return pin.replaceAll(pin.length % 3 === 1 ? /(\d{2})(?=\d)/g : /(\d{3})(?=\d)/g, '$1 ');
}
