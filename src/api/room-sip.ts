// Owns: a room's door for phones between the API's words and the room's. May import: core, ./contract.
import type { z } from '@hono/zod-openapi';
import type { RoomPins } from '#core/room-pins.ts';
import type { RoomSip } from '#core/room-sip.ts';
import type { roomSipPatch, roomSipSchema } from './contract.ts';

export function roomSipView(sip: RoomSip = {}): z.output<typeof roomSipSchema> {
  const { access = null, language = null, hasPrompts = null, hasVideo = null, view = null, sealedPin } = sip;
  return { access, language, hasPrompts, hasVideo, view, hasPin: sealedPin !== undefined };
}

/** @param input null takes a setting back to that of the server, and the PIN away @throws GatewayError `invalid_request` */
export function changedSip(
  before: RoomSip | undefined,
  input: z.output<typeof roomSipPatch> | null,
  pins: RoomPins,
): RoomSip {
  if (input === null) return {};
  const { pin, ...rest } = input;
  const sealed = pin == null ? { sealedPin: undefined } : { sealedPin: pins.seal(pin) };
  const settings = Object.entries(rest).map(([name, value]) => [name, value ?? undefined]);
  return { ...before, ...Object.fromEntries(settings), ...(pin !== undefined && sealed) };
}
