// Owns: the state of the meeting page, and what its buttons do. May import: client, ui, signals and its siblings.
import { computed, effect, signal } from '@preact/signals';
import {
  ClientError,
  canShareScreen,
  type EndInfo,
  Fmp4Player,
  type LocalPublication,
  openScreen,
  RoomConnection,
  type RoomState,
} from '../client/index.ts';
import { initialState } from '../client/room-state.ts';
import { dropToasts, orToast, showToast } from '../ui/toasts.tsx';
import { Avatars } from './avatars.ts';
import { asRefusal, findInvitation, type Invitation } from './credentials.ts';
import { readPreferences, writePreferences } from './preferences.ts';
import { type InputKind, Studio } from './studio.ts';

export type Panel = 'none' | 'chat' | 'people';
export type Screen = 'invitation' | 'prejoin' | 'waiting' | 'consent' | 'room' | 'ended';

/** Louder than this counts as speaking, dBov. */
const speakingDbov = -50;
/** Of the level meter: a voice, and no cough in the next room. */
const loudLevel = 0.7;
const hintEveryMs = 60_000;
const sources = { camera: 'camera', microphone: 'microphone' } as const;

export class Meeting {
  readonly room: string;
  readonly studio = new Studio();
  readonly canShareScreen = canShareScreen();
  /** `?mode=mcu`: one picture of the whole room instead of one of each. */
  readonly isComposed = new URLSearchParams(location.search).get('mode') === 'mcu';
  /** `?mode=fmp4`: watches without WebRTC and sends nothing. */
  readonly isWatching = new URLSearchParams(location.search).get('mode') === 'fmp4';
  readonly invitation = signal<Invitation | undefined>(undefined);
  readonly name = signal('');
  /** Base64 of a JPEG. */
  readonly avatar = signal(readPreferences().avatar);
  readonly avatars: Avatars;
  readonly state = signal<RoomState>(initialState);
  readonly isJoining = signal(false);
  /** Participants who speak now. */
  readonly speaking = signal<ReadonlySet<string>>(new Set());
  readonly panel = signal<Panel>('none');
  readonly unread = signal(0);
  /** Whom the next chat message is for: `all` or a participant. */
  readonly chatTo = signal('all');
  readonly pinnedKey = signal<string | undefined>(undefined);
  readonly wantsSpotlight = signal(false);
  readonly isHelpOpen = signal(false);
  /** Raised hands, first come first. */
  readonly hands = signal<readonly string[]>([]);
  /** The browser plays no sound before the page is clicked. */
  readonly needsGesture = signal(false);
  readonly end = signal<EndInfo | undefined>(undefined);
  readonly self = computed(() => this.state.value.participants.get(this.state.value.selfId ?? ''));
  /** The last way to see the room: WebRTC does not get through, or nobody wants it. */
  readonly hasFallback = computed(() => {
    const { phase, mediaState } = this.state.value;
    return phase === 'joined' && Fmp4Player.isSupported && (this.isWatching || mediaState === 'failed');
  });
  readonly isModerator = computed(() => this.self.value?.permissions.moderate ?? false);
  readonly screen = computed((): Screen => {
    if (this.end.value?.code === 'consent_required') return 'consent';
    if (this.end.value) return 'ended';
    if (!this.invitation.value) return 'invitation';
    if (this.state.value.room) return 'room';
    return this.state.value.waiting ? 'waiting' : 'prejoin';
  });
  /** Apart from the rest of what is known of oneself, which changes with every breath of the line. */
  readonly #mayPublishNow = {
    camera: computed(() => this.self.value?.permissions.publish.video),
    microphone: computed(() => this.self.value?.permissions.publish.audio),
  };
  #connection: RoomConnection | undefined;
  #hasConsented = false;
  #atDoor: ReadonlySet<string> = new Set();
  #inputs: { [K in InputKind]?: LocalPublication | undefined } = {};
  readonly #syncing: { [K in InputKind]: Promise<void> } = { camera: Promise.resolve(), microphone: Promise.resolve() };
  #hintedAtMs = Number.NEGATIVE_INFINITY;
  #shared: LocalPublication[] = [];
  #shareAbort: AbortController | undefined;

  constructor(room: string) {
    this.room = room;
    this.avatars = new Avatars(room, () => this.invitation.peek()?.token());
    this.invitation.value = findInvitation(room);
    this.name.value = readPreferences().name || (this.invitation.value?.name ?? '');
    effect(() => this.#follow('camera'));
    effect(() => this.#follow('microphone'));
    effect(() => this.#orderHands());
    effect(() => this.#knock(this.state.value.lobby));
    effect(() => {
      if (this.panel.value !== 'chat') return;
      this.unread.value = 0;
      dropToasts('chat');
    });
    this.studio.level.subscribe((level) => this.#hintAtMute(level));
    // The lock on the screen goes whenever the page is hidden.
    document.addEventListener('visibilitychange', () => this.#keepAwake());
    addEventListener('pagehide', () => this.#connection?.abandon());
    addEventListener('hashchange', () => this.lookForInvitation());
  }

  get connection(): RoomConnection | undefined {
    return this.#connection;
  }

  /** A link was opened, or pasted, over this page. */
  lookForInvitation(): void {
    const found = findInvitation(this.room);
    if (!found) return;
    this.invitation.value = found;
    this.end.value = undefined;
    if (this.name.value === '') this.name.value = found.name;
  }

  // ── Coming and going ─────────────────────────────────────────────────────────────────────────────────────────────

  async join(): Promise<void> {
    const invitation = this.invitation.value;
    if (!invitation || this.isJoining.value) return;
    const name = this.name.value.trim();
    writePreferences({ name });
    this.isJoining.value = true;
    this.end.value = undefined;
    const connection = new RoomConnection({
      room: this.room,
      token: () => invitation.token().catch((thrown: unknown) => refuse(thrown)),
      ...(name && { displayName: name }),
      ...(this.isComposed && { view: 'common' }),
      hasConsented: this.#hasConsented,
    });
    this.#connect(connection);
    try {
      await connection.join();
      this.#follow('microphone');
      this.#follow('camera');
      this.setAvatar(this.avatar.value);
      this.#keepAwake();
    } catch {
      // `ended` has said why, and the page shows it.
    } finally {
      this.isJoining.value = false;
    }
  }

  /** @param image base64 of a JPEG; undefined: initials */
  setAvatar(image: string | undefined): void {
    this.avatar.value = image;
    writePreferences({ avatar: image });
    const isShown = (this.self.peek()?.avatarId ?? null) !== null;
    if (image === undefined && !isShown) return;
    this.#connection?.setAvatar(image ?? null).catch(() => {
      // Others see initials; it is told again with the next join.
    });
  }

  async leave(): Promise<void> {
    await this.#connection?.leave();
  }

  /** To being recorded, where the room asked for that. */
  agree(): void {
    this.#hasConsented = true;
    this.restart();
    void this.join();
  }

  /** From the last page back to the door. */
  restart(): void {
    this.end.value = undefined;
    this.state.value = initialState;
  }

  #connect(connection: RoomConnection): void {
    this.#connection = connection;
    // For whoever looks for a fault with the browser's console: `await switchyard.sampleStats()`.
    Object.assign(globalThis, { switchyard: connection });
    connection.state.subscribe((state) => {
      if (connection === this.#connection && state.phase !== 'ended') this.state.value = state;
    });
    connection.events.on('levels', (levels) => {
      const loud = levels.filter(({ levelDbov }) => levelDbov > speakingDbov);
      this.speaking.value = new Set(loud.map(({ participantId }) => participantId));
    });
    connection.events.on('chat', (message) => {
      if (message.from?.id === this.state.value.selfId || this.panel.value === 'chat') return;
      this.unread.value += 1;
      showToast(`${message.from?.displayName ?? 'Server'}: ${message.text.slice(0, 120)}`, { icon: 'chat' });
    });
    connection.events.on('publicationEnded', ({ source }) => {
      showToast(`Your ${source.replace('_', ' ')} was taken off the room.`, { isError: true });
      if (source === 'camera') orToast(this.studio.setCamera(false));
      if (source === 'microphone') orToast(this.studio.setMicrophone(false));
      if (source.startsWith('screen')) this.#stopSharing();
    });
    connection.events.on('ended', (end) => this.#ended(end));
  }

  #ended(end: EndInfo): void {
    this.#stopSharing();
    this.#inputs = {};
    this.studio.close();
    this.state.value = { ...initialState, phase: 'ended', end };
    this.panel.value = 'none';
    this.pinnedKey.value = undefined;
    this.end.value = end;
  }

  // ── Camera and microphone ────────────────────────────────────────────────────────────────────────────────────────

  toggleCamera(): void {
    if (!this.#mayPublish('video')) return;
    orToast(this.#switch('camera', !this.studio.camera.value.isOn));
  }

  toggleMicrophone(): void {
    if (!this.#mayPublish('audio')) return;
    orToast(this.#switch('microphone', !this.studio.microphone.value.isOn));
  }

  chooseInput(kind: InputKind, deviceId: string): void {
    orToast(this.studio.choose(kind, deviceId));
  }

  async #switch(kind: InputKind, isOn: boolean): Promise<void> {
    const lock = [...this.state.value.local.values()].find(({ source }) => source === sources[kind]);
    if (lock?.isMutedByModerator) {
      throw new ClientError('forbidden', `A moderator has muted your ${kind}. Raise your hand to ask for the word.`);
    }
    await (kind === 'camera' ? this.studio.setCamera(isOn) : this.studio.setMicrophone(isOn));
    const { error } = this.studio[kind].value;
    if (isOn && error) throw error;
  }

  #mayPublish(kind: 'audio' | 'video'): boolean {
    const permissions = this.self.value?.permissions;
    if (!permissions || permissions.publish[kind]) return true;
    showToast(`As ${this.self.value?.role} you may not send ${kind}.`, { isError: true });
    return false;
  }

  /** What the studio has is what the room gets; one step at a time for each of the two. */
  #follow(kind: InputKind): void {
    // Read here, so that the effect runs again when it changes.
    const { isBusy } = this.studio[kind].value;
    const mayPublish = this.#mayPublishNow[kind].value;
    if (mayPublish === false && this.studio[kind].value.track) this.studio.release(kind);
    if (isBusy || !mayPublish) return;
    this.#syncing[kind] = this.#syncing[kind]
      .then(() => this.#bring(kind))
      .catch((thrown: unknown) => {
        const error = thrown instanceof Error ? thrown : new Error(String(thrown));
        if (!(thrown instanceof ClientError && thrown.code === 'closed')) showToast(error.message, { isError: true });
      });
  }

  async #bring(kind: InputKind): Promise<void> {
    const connection = this.#connection;
    const { isOn, track, isBusy } = this.studio[kind].value;
    if (!connection || isBusy || this.isWatching || connection.state.value.phase === 'ended') return;
    const publication = this.#inputs[kind];
    if (!publication || publication.isEnded) {
      if (track && (isOn || kind === 'microphone')) {
        this.#inputs[kind] = await connection.publish(track, { source: sources[kind], isMuted: !isOn });
      }
    } else if (isOn && track) {
      if (publication.view.isMutedByModerator) await publication.replaceTrack(track);
      else await publication.unmute(track);
    } else await publication.mute({ releaseTrack: kind === 'camera' || !track });
  }

  // ── Screen ───────────────────────────────────────────────────────────────────────────────────────────────────────

  toggleScreen(): void {
    if (this.#shareAbort) this.#stopSharing();
    else if (this.#mayPublish('video')) orToast(this.#share());
  }

  async #share(): Promise<void> {
    const connection = this.#connection;
    if (!connection) return;
    const abort = new AbortController();
    this.#shareAbort = abort;
    try {
      const { video, audio } = await openScreen();
      const stop = () => {
        video.stop();
        audio?.stop();
      };
      if (abort.signal.aborted) return stop();
      abort.signal.addEventListener('abort', stop);
      // The browser's own bar has a button for it too.
      video.addEventListener('ended', () => this.#stopSharing());
      this.#shared.push(await connection.publish(video, { source: 'screen' }));
      if (audio && !abort.signal.aborted) {
        this.#shared.push(await connection.publish(audio, { source: 'screen_audio' }));
      }
      if (abort.signal.aborted) this.#unpublishShared();
    } catch (thrown) {
      this.#stopSharing();
      // Whoever closes the picker knows that nothing is shared.
      if (!(thrown instanceof ClientError && thrown.code === 'permission_denied')) throw thrown;
    }
  }

  #stopSharing(): void {
    this.#shareAbort?.abort();
    this.#shareAbort = undefined;
    this.#unpublishShared();
  }

  #unpublishShared(): void {
    for (const publication of this.#shared) orToast(publication.unpublish());
    this.#shared = [];
  }

  // ── The rest ─────────────────────────────────────────────────────────────────────────────────────────────────────

  toggleHand(): void {
    const { self } = this;
    if (self.value && this.#connection) orToast(this.#connection.raiseHand(!self.value.isHandRaised));
  }

  togglePanel(panel: Exclude<Panel, 'none'>): void {
    this.panel.value = this.panel.value === panel ? 'none' : panel;
  }

  /** @param key of a tile; the same again takes the pin off */
  togglePin(key: string): void {
    this.pinnedKey.value = this.pinnedKey.value === key ? undefined : key;
  }

  writeTo(participantId: string): void {
    this.chatTo.value = participantId;
    this.panel.value = 'chat';
  }

  /** Says who has come to the door since it was looked at last. */
  #knock(lobby: RoomState['lobby']): void {
    const known = this.#atDoor;
    this.#atDoor = new Set(lobby.map(({ id }) => id));
    const fresh = lobby.filter(({ id }) => !known.has(id));
    if (fresh.length === 0 || this.panel.peek() === 'people') return;
    showToast(`${fresh.map(({ displayName }) => displayName).join(', ')} waits to be let in.`, { icon: 'door' });
  }

  #orderHands(): void {
    const raised = [...this.state.value.participants.values()].filter(({ isHandRaised }) => isHandRaised);
    const ids = raised.map(({ id }) => id);
    const before = this.hands.peek();
    const kept = before.filter((id) => ids.includes(id));
    const next = [...kept, ...ids.filter((id) => !kept.includes(id))];
    if (next.length !== before.length || next.some((id, index) => id !== before[index])) this.hands.value = next;
  }

  /** Phones switch their screen off over a talk; where the browser has no say in it, they do. */
  #keepAwake(): void {
    if (this.screen.value !== 'room' || document.visibilityState !== 'visible') return;
    navigator.wakeLock?.request('screen').catch(() => undefined);
  }

  /** Everybody has talked to a muted microphone once. */
  #hintAtMute(level: number): void {
    const { isOn, track } = this.studio.microphone.peek();
    if (isOn || !track || level < loudLevel || this.screen.peek() !== 'room') return;
    if (performance.now() - this.#hintedAtMs < hintEveryMs) return;
    this.#hintedAtMs = performance.now();
    showToast('You are muted. Press M to be heard.', { icon: 'micOff' });
  }
}

function refuse(thrown: unknown): never {
  const refusal = asRefusal(thrown);
  if (!refusal) throw thrown;
  const code = refusal.code === 'unreachable' ? 'disconnected' : (refusal.code as ClientError['code']);
  throw new ClientError(code, refusal.message, { cause: thrown });
}
