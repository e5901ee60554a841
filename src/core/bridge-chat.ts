// Owns: what is written to everybody in one of two bridged rooms, in the other. May import: core only.
import type { BridgeWays } from './bridge.ts';
import { GatewayError } from './errors.ts';
import type { Participant } from './participant.ts';
import type { Logger } from './ports.ts';
import { type ChatMessage, maxChatLength, type Room } from './room.ts';

export interface ChatSide {
  readonly room: Room;
  /** Who is the other room here. */
  readonly participant: Participant;
}

export interface BridgeChatOptions {
  readonly sides: readonly [ChatSide, ChatSide];
  /** As they are when a message is written. */
  readonly ways: () => BridgeWays;
  readonly log: Logger;
}

/** Until it is closed. Bridges form no ring, so that no message comes back. */
export class BridgeChat {
  readonly #options: BridgeChatOptions;
  readonly #unlisten: (() => void)[] = [];

  constructor(options: BridgeChatOptions) {
    this.#options = options;
    const [here, there] = options.sides;
    this.#carry(here, there, ({ isRead }) => isRead);
    this.#carry(there, here, ({ reads }) => reads);
  }

  close(): void {
    for (const unlisten of this.#unlisten.splice(0)) unlisten();
  }

  #carry(from: ChatSide, to: ChatSide, isOpen: (ways: BridgeWays) => boolean): void {
    const carry = (message: ChatMessage) => {
      if (message.to !== 'all' || message.from?.id === from.participant.id || !isOpen(this.#options.ways())) return;
      try {
        to.room.sendChat(to.participant, 'all', signed(message));
      } catch (error) {
        // A moderator there may have taken chat away from it; whoever wrote is not to blame.
        const { code } = error instanceof GatewayError ? error : { code: 'internal' };
        this.#options.log.info({ code, room: to.room.name }, 'message not carried over a bridge');
      }
    };
    from.room.events.on('chatSent', carry);
    this.#unlisten.push(() => from.room.events.off('chatSent', carry));
  }
}

/** Over there it comes from the room, so that the words say who wrote it. */
function signed({ from, text }: ChatMessage): string {
  return (from ? `${from.displayName}: ${text}` : text).slice(0, maxChatLength);
}
