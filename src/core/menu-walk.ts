// Owns: one caller's way through a menu, key by key. Pure: it is told what happens, and says what is to be done. May
// import: core only.
import type { PromptLanguage, PromptName, SpokenPrompt } from './leg-media.ts';
import type { MenuDial, MenuTypedDial } from './menu-dial.ts';
import {
  type MenuAction,
  type MenuNode,
  type MenuPrompt,
  menuDefaults,
  nodeOf,
  type PhoneMenu,
  spokenOf,
} from './phone-menu.ts';

/** What was pressed where, and what came of it. */
export interface MenuStep {
  readonly node: string;
  /** A PIN is `(hidden)`; null for nothing in time. */
  readonly pressed: string | null;
  /** `goto main`, `room demo`, `call sip:alice: busy`, `wrong` … */
  readonly led: string;
  /** Id of the call that was made. */
  readonly call?: string | undefined;
}

/** How it went with somebody who was called. `given_up`: by the caller, with `*`. */
export type MenuDialFailure = 'busy' | 'no_answer' | 'not_reached' | 'given_up';

export type MenuTurn =
  /** To be said, then keys are waited for. */
  | { readonly kind: 'ask'; readonly say: readonly SpokenPrompt[] }
  /** Whether it is a room's, `found()`, `wrong()` or `lockedOut()` says. */
  | {
      readonly kind: 'find';
      readonly find: 'number' | 'pin';
      readonly typed: string;
      readonly rooms: readonly string[];
    }
  | { readonly kind: 'room'; readonly room: string; readonly access: 'pin' | 'open' | undefined }
  /** `calling()`, then `answered()` or `unanswered()` say how that goes; `wrong()` and `lockedOut()` as above. */
  | { readonly kind: 'dial'; readonly dial: MenuDial }
  | { readonly kind: 'dial'; readonly dial: MenuTypedDial; readonly typed: string }
  | { readonly kind: 'end'; readonly why: MenuEnd; readonly reason: string; readonly say: readonly SpokenPrompt[] };

/** `asked`: the menu hangs up there; `going_round`: more gotos than it allows. */
export type MenuEnd = 'asked' | 'no_key' | 'wrong_key' | 'going_round' | 'locked_out' | 'left';

const failureWords: Readonly<Record<MenuDialFailure, { led: string; say: readonly PromptName[] }>> = {
  busy: { led: 'busy', say: ['line_busy'] },
  no_answer: { led: 'no answer', say: ['no_answer'] },
  not_reached: { led: 'not reached', say: ['not_reached'] },
  given_up: { led: 'given up', say: [] },
};

/** Longer than any number of a room. */
const maxTyped = 17;
/** What a record holds of the way. */
const maxKeptSteps = 64;

/**
 *   node ──key of its own──> another node | room | end
 *    │ ├─────other key──────> the same again, `tries` times; then `otherwise`
 *    │ └─────no key─────────> the same again, `tries` times; then `otherwise`
 *    ├──collect: digits, #──> find ──found──> room
 *    │                          └──wrong────> the same again, `tries` times; then `otherwise`
 *    └──key or digits───────> dial ──answered──> out of the menu
 *                               └──not──────> the same again, or where it says
 */
export class MenuWalk {
  readonly #menu: PhoneMenu;
  readonly #steps: MenuStep[] = [];
  #name: string;
  #language: PromptLanguage | undefined;
  #typed = '';
  #failures = 0;
  #wasPressed = false;
  #gotos = 0;
  /** Who is called now, and the key or number that led there. */
  #dialling: { readonly dial: MenuDial | MenuTypedDial; readonly pressed: string | null; isNoted: boolean } | undefined;

  /** @param menu without flaws @param language undefined: as the room says, which is not known yet */
  constructor(menu: PhoneMenu, language?: PromptLanguage) {
    this.#menu = menu;
    this.#name = menu.start;
    this.#language = language;
  }

  get node(): string {
    return this.#name;
  }

  /** That was chosen on the way. */
  get language(): PromptLanguage | undefined {
    return this.#language;
  }

  /** The last of them. */
  get steps(): readonly MenuStep[] {
    return this.#steps;
  }

  get gotos(): number {
    return this.#gotos;
  }

  /** For how long a key is waited for now. */
  get waitMs(): number {
    const { firstKeyMs = menuDefaults.firstKeyMs, nextKeyMs = menuDefaults.nextKeyMs } = this.#node;
    return this.#typed === '' ? firstKeyMs : nextKeyMs;
  }

  begin(): MenuTurn {
    return this.#ask();
  }

  /** @returns undefined while more keys are to come */
  press(key: string): MenuTurn | undefined {
    if (!/^[0-9*#]$/.test(key)) return undefined;
    const { collect, keys = {} } = this.#node;
    if (collect) return this.#collect(key);
    const action = Object.hasOwn(keys, key) ? keys[key] : undefined;
    return action ? this.#act(action, key) : this.#fail(key, [{ name: 'wrong_key' }]);
  }

  /** Nothing was pressed for `waitMs`. */
  silence(): MenuTurn {
    return this.#typed === '' ? this.#fail(null, []) : this.#find();
  }

  /** What was typed is the room's. */
  found(room: string): void {
    this.#note(this.#shownTyped, `room ${room}`);
  }

  /** What was typed is no room's, or no number that may be called. */
  wrong(): MenuTurn {
    return this.#fail(this.#shownTyped, [{ name: this.#wrongWord }]);
  }

  /** Somebody is being called. @param call its id */
  calling(to: string, call: string | undefined): void {
    if (!this.#dialling || this.#dialling.isNoted) return;
    this.#dialling.isNoted = true;
    this.#note(this.#dialling.pressed, `call ${to}`, call);
  }

  answered(): void {
    this.#amend('answered');
  }

  /** Back to where the caller was, or on to where the menu says. @param reason for the record */
  unanswered(failure: MenuDialFailure, reason: string): MenuTurn {
    const { led, say } = failureWords[failure];
    const { dial, pressed } = this.#dialling ?? {};
    // Where nobody could even be called.
    this.calling(dial && 'to' in dial ? dial.to : (pressed ?? ''), undefined);
    this.#amend(failure === 'given_up' ? led : `${led}: ${reason}`);
    const unanswered = dial?.unanswered;
    const own = failure === 'given_up' ? undefined : unanswered?.say;
    const hint = own ? this.#spoken(own) : say.map((name) => ({ name }));
    return this.#go(unanswered?.goto ?? this.#name, hint);
  }

  /** The caller has guessed too often, here or before. */
  lockedOut(): MenuTurn {
    this.#note(this.#shownTyped, 'locked out');
    const say = [{ name: this.#wrongWord }];
    return { kind: 'end', why: 'locked_out', reason: 'Too many wrong numbers were entered.', say };
  }

  get #wrongWord(): PromptName {
    const { find } = this.#node.collect ?? {};
    return find === 'pin' ? 'wrong_pin' : find === 'phone' ? 'not_reached' : 'wrong_number';
  }

  get #node(): MenuNode {
    return nodeOf(this.#menu, this.#name) ?? {};
  }

  get #shownTyped(): string {
    return this.#node.collect?.find === 'pin' ? '(hidden)' : this.#typed;
  }

  #collect(key: string): MenuTurn | undefined {
    if (key === '#') return this.#typed === '' ? undefined : this.#find();
    if (key !== '*') {
      this.#typed = (this.#typed + key).slice(0, maxTyped);
      return undefined;
    }
    // Begins anew; with nothing typed it may be a choice.
    const back = this.#typed === '' ? this.#node.keys?.['*'] : undefined;
    this.#typed = '';
    return back && this.#act(back, key);
  }

  #find(): MenuTurn {
    const { find = 'number', rooms = [], dial } = this.#node.collect ?? {};
    if (find !== 'phone' || !dial)
      return { kind: 'find', find: find === 'pin' ? find : 'number', typed: this.#typed, rooms };
    this.#dialling = { dial, pressed: this.#typed, isNoted: false };
    return { kind: 'dial', dial, typed: this.#typed };
  }

  #fail(pressed: string | null, hint: readonly SpokenPrompt[]): MenuTurn {
    const { tries = menuDefaults.tries, otherwise } = this.#node;
    this.#failures += 1;
    this.#wasPressed ||= pressed !== null;
    if (this.#failures < tries) {
      this.#note(pressed, pressed === null ? 'no key' : 'wrong');
      // After a wrong number "try again" is all that need be said.
      return this.#ask(hint, pressed !== null && this.#node.collect !== undefined);
    }
    if (otherwise) return this.#act(otherwise, pressed);
    const why = this.#wasPressed ? 'wrong_key' : 'no_key';
    this.#note(pressed, 'hang up');
    const reason = why === 'no_key' ? 'No key was pressed.' : 'No choice of the menu was made.';
    return { kind: 'end', why, reason, say: this.#spoken(hint) };
  }

  #act(action: MenuAction, pressed: string | null): MenuTurn {
    const { language, menu, goto, room, access, dial, hangUp } = action;
    this.#language = language ?? this.#language;
    if (hangUp) {
      this.#note(pressed, `hang up: ${hangUp.reason}`);
      return { kind: 'end', why: 'asked', reason: hangUp.reason, say: this.#spoken(hangUp.say ?? []) };
    }
    if (room !== undefined) {
      this.#note(pressed, `room ${room}`);
      return { kind: 'room', room, access };
    }
    if (menu !== undefined) {
      this.#note(pressed, `menu ${menu}`);
      return this.#enter(menu);
    }
    if (dial) {
      this.#dialling = { dial, pressed, isNoted: false };
      return { kind: 'dial', dial };
    }
    this.#note(pressed, goto === undefined ? 'repeat' : `goto ${goto}`);
    return this.#go(goto ?? this.#name);
  }

  #go(target: string, hint: readonly SpokenPrompt[] = []): MenuTurn {
    this.#gotos += 1;
    if (this.#gotos > (this.#menu.maxGotos ?? menuDefaults.maxGotos)) {
      const say = this.#spoken(hint);
      return { kind: 'end', why: 'going_round', reason: 'The caller went round in the menu too often.', say };
    }
    return this.#enter(target, hint);
  }

  #enter(name: string, hint: readonly SpokenPrompt[] = []): MenuTurn {
    this.#name = name;
    this.#failures = 0;
    this.#wasPressed = false;
    return this.#ask(hint);
  }

  #ask(hint: readonly SpokenPrompt[] = [], isHintAlone = false): MenuTurn {
    this.#typed = '';
    const { say = [] } = this.#node;
    return { kind: 'ask', say: [...this.#spoken(hint), ...(isHintAlone ? [] : this.#spoken(say))] };
  }

  #spoken(prompts: readonly (MenuPrompt | SpokenPrompt)[]): readonly SpokenPrompt[] {
    return prompts.map((one) => {
      const { name, language } = typeof one === 'object' && 'name' in one ? one : spokenOf(one);
      return { name, language: language ?? this.#language };
    });
  }

  #note(pressed: string | null, led: string, call?: string): void {
    this.#steps.push({ node: this.#name, pressed, led: led.slice(0, 200), ...(call !== undefined && { call }) });
    if (this.#steps.length > maxKeptSteps) this.#steps.shift();
  }

  /** What came of the last step. */
  #amend(more: string): void {
    const last = this.#steps.pop();
    if (last) this.#steps.push({ ...last, led: `${last.led}: ${more}`.slice(0, 200) });
  }
}
