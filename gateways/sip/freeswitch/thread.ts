// Owns: the thread that speaks to FreeSWITCH: drachtio-fsmrf, and a drachtio-srf of its own. Started by free-switch.ts alone.
// drachtio-fsmrf throws in callbacks of sockets, where nobody can catch it, and connects again by itself with calls that are
// gone: here the one costs a thread, and the other does not happen, because a thread ends with its connection.
import { parentPort, workerData } from 'node:worker_threads';
import { isAddressIn } from '#core/address-ranges.ts';
import { toGatewayError } from '#core/errors.ts';
import { createSrf, type SrfApp } from '../srf-shapes.ts';
import { Channels } from './channels.ts';
import { EslGate } from './esl-gate.ts';
import { probeEventSocket } from './esl-probe.ts';
import { createFsmrf, type FsmrfServer } from './fsmrf-shapes.ts';
import type { FromThread, SipControl, ThreadData, ToThread } from './thread-messages.ts';

const { control, settings } = workerData as ThreadData;
/** FreeSWITCH is asked for a sign of life so often; its heartbeats come every 20 s and can be turned off. */
const pingIntervalMs = 10_000;
const pingTimeoutMs = 8_000;
/** Of calls that are hung up because the connection is gone. */
const byeWaitMs = 500;

const tell = (message: FromThread): void => parentPort?.postMessage(message);

let channels: Channels | undefined;
let isOver = false;

async function end(reason: string): Promise<void> {
  if (isOver) return;
  isOver = true;
  await Promise.race([channels?.hangUpAll(), new Promise((resolve) => setTimeout(resolve, byeWaitMs))]);
  tell({ type: 'down', reason });
  // Whatever drachtio-fsmrf still has timers and sockets for.
  process.exit(0);
}

function connectSrf({ host, port, secret }: SipControl): Promise<SrfApp> {
  const srf = createSrf();
  return new Promise((resolve, reject) => {
    srf.on('error', (error: Error) => reject(new Error(`There is no link to the SIP server: ${error.message}.`)));
    srf.on('connect', (error: Error | null) => {
      if (error) reject(new Error('The SIP server refuses its secret.'));
      else resolve(srf);
    });
    srf.on('close', () => void end('The link to the SIP server was lost.'));
    srf.connect({ host, port, secret });
  });
}

async function connectFreeSwitch(srf: SrfApp): Promise<FsmrfServer> {
  const { host, port, password, profile, listenHost, listenPort, announcedHost, networks } = settings;
  await probeEventSocket(settings);
  let address = '';
  const isAllowed = (from: string) => from === address || isAddressIn(from, networks);
  const gate = await EslGate.listen({ host: listenHost, port: listenPort, isAllowed });
  const server = await createFsmrf(srf).connect({
    ...{ address: host, port, secret: password, profile, listenAddress: '127.0.0.1', listenPort: 0 },
    ...{ advertisedAddress: announcedHost ?? listenHost, advertisedPort: gate.port },
  });
  address = server.address.replace(/^::ffff:/i, '');
  gate.open(server.listenPort);
  server.on('end', () => void end('FreeSWITCH closed the connection to its event socket.'));
  return server;
}

/** A machine that has vanished closes nothing. */
function watch(server: FsmrfServer): void {
  setInterval(() => {
    const timer = setTimeout(() => void end('FreeSWITCH does not answer on its event socket.'), pingTimeoutMs);
    void server.api('version').then(() => clearTimeout(timer));
  }, pingIntervalMs);
}

async function start(): Promise<void> {
  const srf = await connectSrf(control);
  const server = await connectFreeSwitch(srf);
  const ready = new Channels(server, (endpoint, reason) => tell({ type: 'ended', endpoint, reason }));
  channels = ready;
  watch(server);
  const [version = ''] = (await server.api('version')).split('\n');
  parentPort?.on('message', (message: ToThread) => {
    if (message.type === 'stop') void end('It was told to stop.');
    else if (message.type === 'look') tell({ type: 'well' });
    else {
      const { id } = message;
      ready.handle(message.request).then(
        (sdp) => tell({ type: 'done', id, sdp }),
        (thrown: unknown) => {
          const { code, message: text } = toGatewayError(thrown);
          tell({ type: 'refused', id, code, message: text });
        },
      );
    }
  });
  tell({ type: 'up', address: server.address, version: version.slice(0, 100) });
}

start().catch((thrown: unknown) => end(thrown instanceof Error ? thrown.message : String(thrown)));
