// Owns: the room's chat for one phone: MESSAGE requests both ways (RFC 3428).
import { GatewayError } from '#core/errors.ts';
import type { Participant } from '#core/participant.ts';
import type { Logger } from '#core/ports.ts';
import type { ChatMessage } from '#core/room.ts';
import type { SipDialog, SipQuestion } from './dialog.ts';

/** RFC 3428 §8: a request stays below 1300 bytes; the rest of it is headers. */
const maxBodyBytes = 700;
const maxPieces = 24;
/** A phone that is slow to answer does not make the room's messages pile up here. */
const maxWaiting = 50;

export interface CallChatOptions {
  readonly participant: Participant;
  readonly dialog: SipDialog;
  readonly log: Logger;
}

/** Lives as long as its participant. Sends to phones that say in `Allow` that they take MESSAGE, until one does not. */
export class CallChat {
  readonly #participant: Participant;
  readonly #dialog: SipDialog;
  readonly #log: Logger;
  readonly #waiting: string[] = [];
  #isSending = false;
  #takesMessages: boolean;

  constructor({ participant, dialog, log }: CallChatOptions) {
    this.#participant = participant;
    this.#dialog = dialog;
    this.#log = log;
    this.#takesMessages = /(^|[,\s])MESSAGE([,\s]|$)/i.test(dialog.remoteAllow);
    if (!this.#takesMessages) return;
    const { events } = participant.room;
    events.on('chatSent', this.#heard);
    participant.events.on('closed', () => {
      this.#waiting.length = 0;
      events.off('chatSent', this.#heard);
    });
  }

  readonly #heard = ({ from, to, text }: ChatMessage) => {
    const isForUs = to === 'all' || to === this.#participant.id;
    if (!this.#takesMessages || !isForUs || from?.id === this.#participant.id) return;
    const name = from?.displayName ?? 'Room';
    this.#waiting.push(...piecesOf(`${name}: ${text}`));
    this.#waiting.splice(0, this.#waiting.length - maxWaiting);
    if (!this.#isSending) void this.#send();
  };

  async #send(): Promise<void> {
    this.#isSending = true;
    const headers = { 'content-type': 'text/plain;charset=utf-8' };
    try {
      for (let body = this.#waiting.shift(); body !== undefined; body = this.#waiting.shift()) {
        const { status } = await this.#dialog.ask('MESSAGE', { headers, body });
        if (status < 300) continue;
        this.#takesMessages = false;
        this.#waiting.length = 0;
        this.#log.info({ status }, 'phone takes no messages');
      }
    } catch {
      // The call is over; so is its chat.
      this.#waiting.length = 0;
    } finally {
      this.#isSending = false;
    }
  }
}

/** A MESSAGE of a phone that is in the room, said there. @throws GatewayError as `room.sendChat()`, `unsupported_media_type` */
export function sayInRoom(participant: Participant | undefined, question: SipQuestion): void {
  // Some ask whether we are composing something; that is no message.
  if (/^application\/im-iscomposing\+xml\b/i.test(question.contentType)) return;
  if (!/^text\/plain\b/i.test(question.contentType)) {
    throw new GatewayError('unsupported_media_type', 'Messages are text/plain.');
  }
  if (!participant || participant.isClosed) throw new GatewayError('closed', 'The phone is not in the room.');
  // Many end it with a line break.
  participant.room.sendChat(participant, 'all', question.body.trimEnd());
}

/** Text in pieces that fit into one request each, cut between characters. */
export function piecesOf(text: string, maxBytes = maxBodyBytes): string[] {
  const pieces: string[] = [];
  let piece = '';
  let bytes = 0;
  for (const character of text) {
    const size = Buffer.byteLength(character);
    if (bytes + size > maxBytes) {
      pieces.push(piece);
      piece = '';
      bytes = 0;
    }
    piece += character;
    bytes += size;
  }
  if (piece !== '') pieces.push(piece);
  return pieces.slice(0, maxPieces);
}
