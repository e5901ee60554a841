// Owns: how a stream gets from one router of a room to another.
//
// mediasoup's own pipeToRouter() keeps a broken pair for ever and pauses the far end without a handler for its failure,
// which would end our process when a worker dies in that moment; hence the same thing here, with both seen to.
import type { types } from 'mediasoup';

type PipePair = ReadonlyMap<types.Router, types.PipeTransport>;

/** Two PipeTransports that face each other over loopback UDP; made when the first stream crosses, in either direction. */
export class RouterPipe {
  readonly #ends: readonly [types.Router, types.Router];
  readonly #listen: types.TransportListenInfo;
  readonly #isWithinProcess: boolean;
  /** Media and data apart, so that a room without data channels has no SCTP association. */
  #media: Promise<PipePair> | undefined;
  #data: Promise<PipePair> | undefined;

  /**
   * @param isWithinProcess both ends are read by one thread, so that a burst does not overrun what lies between. Then lost packets
   * are not asked for again, and none are kept to be: a source that cannot make key frames sends those since its last one
   * again, under the same numbers, and what is kept is not let through a second time. Whoever came a moment too late for the
   * first would see nothing until the source's next key frame.
   */
  constructor(
    ends: readonly [types.Router, types.Router],
    loopback: types.TransportListenInfo,
    { isWithinProcess }: { isWithinProcess: boolean },
  ) {
    this.#ends = ends;
    this.#listen = loopback;
    this.#isWithinProcess = isWithinProcess;
  }

  /** @returns the stream as the far router's producer; it pauses, resumes and ends with the one that is carried */
  async carry(from: types.Router, producer: types.Producer): Promise<types.Producer> {
    this.#media ??= this.#connect({ enableSctp: false }).catch((thrown: unknown) => {
      this.#media = undefined;
      throw thrown;
    });
    const { near, far } = this.#endsSeenFrom(from, await this.#media);
    const consumer = await near.consume({ producerId: producer.id });
    try {
      const carried = await far.produce({
        kind: consumer.kind,
        rtpParameters: consumer.rtpParameters,
        paused: consumer.producerPaused,
      });
      this.#follow(producer, consumer, carried);
      return carried;
    } catch (thrown) {
      consumer.close();
      throw thrown;
    }
  }

  async carryData(from: types.Router, dataProducer: types.DataProducer): Promise<types.DataProducer> {
    this.#data ??= this.#connect({ enableSctp: true }).catch((thrown: unknown) => {
      this.#data = undefined;
      throw thrown;
    });
    const { near, far } = this.#endsSeenFrom(from, await this.#data);
    const consumer = await near.consumeData({ dataProducerId: dataProducer.id });
    try {
      const { sctpStreamParameters, label, protocol } = consumer;
      const carried = await far.produceData({ sctpStreamParameters, label, protocol });
      consumer.observer.on('close', () => carried.close());
      carried.observer.on('close', () => consumer.close());
      if (dataProducer.closed) consumer.close();
      if (consumer.closed) carried.close();
      return carried;
    } catch (thrown) {
      consumer.close();
      throw thrown;
    }
  }

  #follow(producer: types.Producer, consumer: types.Consumer, carried: types.Producer): void {
    const setPaused = (isPaused: boolean): void => {
      // It fails only when the far router has gone, and then there is nothing left to pause.
      (isPaused ? carried.pause() : carried.resume()).catch(() => undefined);
    };
    consumer.observer.on('close', () => carried.close());
    consumer.observer.on('pause', () => setPaused(true));
    consumer.observer.on('resume', () => setPaused(false));
    carried.observer.on('close', () => consumer.close());
    // What happened while these were made; the consumer misses what its process says before it is known here.
    if (producer.closed) consumer.close();
    if (consumer.closed) carried.close();
    else if (producer.paused !== carried.paused) setPaused(producer.paused);
  }

  #endsSeenFrom(from: types.Router, pair: PipePair): { near: types.PipeTransport; far: types.PipeTransport } {
    const [a, b] = this.#ends;
    const near = pair.get(from);
    const far = pair.get(from === a ? b : a);
    if (!near || !far) throw new TypeError('that router is not an end of this pipe');
    return { near, far };
  }

  async #connect({ enableSctp }: { enableSctp: boolean }): Promise<PipePair> {
    // A burst can overrun the socket's buffer even on loopback.
    const options = { enableSctp, enableRtx: !this.#isWithinProcess, listenInfo: this.#listen };
    const made = await Promise.allSettled(this.#ends.map((router) => router.createPipeTransport(options)));
    const transports = made.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    try {
      const failure = made.find((result) => result.status === 'rejected');
      if (failure) throw failure.reason;
      const [a, b] = transports as [types.PipeTransport, types.PipeTransport];
      await Promise.all([
        a.connect({ ip: b.tuple.localAddress, port: b.tuple.localPort }),
        b.connect({ ip: a.tuple.localAddress, port: a.tuple.localPort }),
      ]);
      return new Map([
        [this.#ends[0], a],
        [this.#ends[1], b],
      ]);
    } catch (thrown) {
      for (const transport of transports) transport.close();
      throw thrown;
    }
  }
}
