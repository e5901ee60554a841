// Owns: what a room says of phones: may they call in, past which door, and what they are told. May import: core only.
import type { PromptLanguage } from './leg-media.ts';

/** `pin`: who types it; `open`: whoever calls; `closed`: nobody, though the room may call out. */
export const sipAccesses = ['pin', 'open', 'closed'] as const;
export type SipAccess = (typeof sipAccesses)[number];

/** What is absent is as the configuration says. */
export interface RoomSip {
  readonly access?: SipAccess | undefined;
  /** By `RoomPins`; never the PIN itself. */
  readonly sealedPin?: string | undefined;
  /** Of announcements. */
  readonly language?: PromptLanguage | undefined;
  /** Whether anything is announced besides what the PIN menu needs. */
  readonly hasPrompts?: boolean | undefined;
  /** false: voices alone. */
  readonly hasVideo?: boolean | undefined;
  /** Name of the view that video phones are shown. */
  readonly view?: string | undefined;
}

export interface SipDefaults {
  readonly access: SipAccess;
  readonly language: PromptLanguage;
}

/** The same with the defaults in place. */
export function effectiveSip(sip: RoomSip | undefined, defaults: SipDefaults) {
  return {
    access: sip?.access ?? defaults.access,
    language: sip?.language ?? defaults.language,
    hasPrompts: sip?.hasPrompts ?? true,
  };
}
