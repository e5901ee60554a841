// Owns: passwords of phones that somebody has to type with a phone's keys. May import: nothing.

/** Without what is mistaken for each other (0 O, 1 l I): 32 of them, so that a byte has no favourites. */
const signs = 'abcdefghijkmnpqrstuvwxyz23456789';

/** 20 signs, 100 bits, in groups of four. */
export function newPassword(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  const text = [...bytes].map((byte) => signs[byte % signs.length]).join('');
  return text.replaceAll(/.{4}(?=.)/g, '$&-');
}
