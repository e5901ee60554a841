// Owns: the PINs that phones type: how they look, how a room keeps its own, how one is compared. May import: core only.
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import { GatewayError } from './errors.ts';
import type { RoomSip } from './room-sip.ts';
import type { Rooms } from './rooms.ts';
import type { SecretBox } from './secret-box.ts';

export const pinPattern = /^\d{4,16}$/;
const generatedLength = 6;

export const newPin = (): string => String(randomInt(0, 10 ** generatedLength)).padStart(generatedLength, '0');

/** The generated `123456` as people read it out: `123 456`. */
export const spokenPin = (pin: string): string => pin.replaceAll(/(\d{3})(?=\d{2})/g, '$1 ');

/** In a time that says nothing of how much of it is right. */
export function isSamePin(typed: string, pin: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(typed), digest(pin));
}

/** Rooms keep their PIN sealed: people have to be told it again, and a copy of the database must not tell it. */
export class RoomPins {
  readonly #secrets: SecretBox;

  constructor(secrets: SecretBox) {
    this.#secrets = secrets;
  }

  /** @throws GatewayError `invalid_request` */
  seal(pin: string): string {
    if (!pinPattern.test(pin)) {
      const message = 'has 4 to 16 digits';
      throw new GatewayError('invalid_request', 'A PIN has 4 to 16 digits.', {
        fields: [{ path: 'sip.pin', message }],
      });
    }
    return this.#secrets.seal(pin);
  }

  /** A room that people are shown at the first start gets a PIN, so that phones can come in and strangers cannot. */
  async provide(rooms: Rooms, name: string): Promise<void> {
    const found = await rooms.find(name);
    if (found && (found.record.sip?.access !== undefined || this.of(found.record.sip) !== undefined)) return;
    const sip = { ...found?.record.sip, sealedPin: this.seal(newPin()) };
    if (found) await rooms.update(found.record.id, { sip });
    else await rooms.create({ name, sip });
  }

  /** @returns undefined where there is none, or where the key that sealed it is gone */
  of(sip: RoomSip | undefined): string | undefined {
    return sip?.sealedPin === undefined ? undefined : openedPin(sip.sealedPin, this.#secrets);
  }
}

/** @returns undefined where the key that sealed it is gone: a door stays shut then, and nothing else fails */
export function openedPin(sealed: string, secrets: SecretBox): string | undefined {
  try {
    return secrets.open(sealed);
  } catch {
    return undefined;
  }
}
