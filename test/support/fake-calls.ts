// Owns: a CallsPort without SIP, for tests of the API: a call rings until the test says otherwise.
import { type Call, type CallEnd, type CallInfo, type CallsPort, type DialOptions, newCallId } from '#core/call.ts';
import type { CallTransferTarget } from '#core/call-transfer.ts';
import { GatewayError } from '#core/errors.ts';
import type { RoomId } from '#core/ids.ts';
import { Leg } from '#core/leg.ts';
import type { RecordedCall } from '#core/recorded-call.ts';
import type { Rooms } from '#core/rooms.ts';

export class FakeCall implements Call {
  info: CallInfo;
  readonly pressed: string[] = [];
  readonly #leg = new Leg(
    { transport: undefined, send: () => undefined },
    { id: 1, localAddress: '127.0.0.1', localPort: 20_000, language: 'en', timeoutMs: 30_000 },
  );

  constructor(roomId: RoomId, { to, from = '' }: DialOptions) {
    this.info = {
      ...{ id: newCallId(), direction: 'outbound', state: 'ringing', from, to, displayName: to },
      ...{ roomId, roomName: undefined },
      ...{ sipCallId: undefined, participantId: undefined, startedAtMs: Date.now(), answeredAtMs: undefined },
      ...{ endedAtMs: undefined, end: undefined, isMuted: false, isHeld: false, gainDb: 0, isHeldByPeer: false },
      ...{ isEncrypted: false, codec: undefined, digits: '', stats: undefined },
    };
  }

  /** It never has more to say. */
  settled = (): Promise<void> => Promise.resolve();

  setMuted(isMuted: boolean): void {
    this.#assertOn();
    this.info = { ...this.info, isMuted };
  }

  /** A voice alone. */
  setVideoMuted(): void {
    throw new GatewayError('unprocessable', 'This call has no video.');
  }

  async setVideo(isWanted: boolean): Promise<void> {
    if (isWanted) throw new GatewayError('unprocessable', 'This call has no video.');
  }

  setGain(gainDb: number): void {
    this.info = { ...this.info, gainDb };
  }

  async setHeld(isHeld: boolean): Promise<void> {
    this.#assertOn();
    this.info = { ...this.info, isHeld };
  }

  async sendDtmf(digits: string): Promise<void> {
    this.#assertOn();
    this.pressed.push(digits);
  }

  forRecording(): RecordedCall {
    const { id, displayName } = this.info;
    return {
      id,
      displayName,
      leg: this.#leg,
      noteRecorded: (isRecorded, recordingId) => {
        this.info = { ...this.info, isRecorded, recordingIds: [recordingId] };
      },
    };
  }

  async hangUp(): Promise<void> {
    this.end({ by: 'us', reason: 'hung_up', message: 'Hung up.' });
  }

  end(end: CallEnd): void {
    this.info = { ...this.info, state: 'ended', endedAtMs: Date.now(), end };
  }

  #assertOn(): void {
    if (this.info.end) throw new GatewayError('closed', 'The call has ended.');
  }
}

export class FakeCalls implements CallsPort {
  readonly calls: FakeCall[] = [];
  readonly dialled: DialOptions[] = [];
  readonly #rooms: Rooms;

  constructor(rooms: Rooms) {
    this.#rooms = rooms;
  }

  async dial(options: DialOptions): Promise<Call> {
    const call = new FakeCall((await this.#rooms.get(options.room)).record.id, options);
    this.dialled.push(options);
    this.calls.push(call);
    return call;
  }

  callsOf(room: RoomId): readonly Call[] {
    return this.calls.filter(({ info }) => info.roomId === room);
  }

  get live(): readonly Call[] {
    return this.calls.filter(({ info }) => info.state !== 'ended');
  }

  async transfer(call: Call, target: CallTransferTarget): Promise<void> {
    const found = this.calls.find((one) => one === call) as FakeCall;
    const [kind, to] = target.kind === 'blind' ? (['blind', target.to] as const) : (['attended', target.with] as const);
    found.info = {
      ...found.info,
      transfer: { by: 'api', kind, to, state: 'trying', sipStatus: 100, message: 'Trying' },
    };
  }

  async move(call: Call, room: string): Promise<void> {
    const found = this.calls.find((one) => one === call) as FakeCall;
    found.info = { ...found.info, roomId: (await this.#rooms.get(room)).record.id };
  }

  async park(call: Call): Promise<void> {
    const found = this.calls.find((one) => one === call) as FakeCall;
    found.info = { ...found.info, parked: { slot: '7001', sinceMs: 0, untilMs: 1 } };
  }

  messagesOf({ startedAtMs: atMs, to }: CallInfo) {
    const text = `INVITE ${to} SIP/2.0\r\n\r\n`;
    const [local, remote] = ['192.0.2.1:5060', '192.0.2.9:5060'];
    return {
      droppedCount: 0,
      messages: [{ atMs, direction: 'out' as const, protocol: 'udp', local, remote, title: 'INVITE', text }],
    };
  }

  addressesOf({ name }: { name: string }, host: string): readonly string[] {
    return [`sip:${name}@${host}`];
  }
}
