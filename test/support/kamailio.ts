// Owns: Kamailio as the proxy between phones and a gateway in tests: record-routes, relays, and asks for a password if told.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PeerProcess } from './peer-process.ts';
import { freePort, whenListening } from './ports.ts';

export interface KamailioOptions {
  /** Where it sends what is for `sip:demo@…`. */
  readonly gateway: { readonly port: number; readonly transport: 'udp' | 'tcp' };
  /** What callers from the gateway must know, in the realm `kamailio`. */
  readonly password?: string;
}

export interface Kamailio {
  readonly port: number;
  close(): Promise<void>;
}

export const kamailioModulesFolder = '/usr/lib/x86_64-linux-gnu/kamailio/modules/';

export async function startKamailio(options: KamailioOptions): Promise<Kamailio> {
  const folder = await mkdtemp(join(tmpdir(), 'kamailio-'));
  const port = await freePort();
  await writeFile(join(folder, 'kamailio.cfg'), configOf(port, options));
  const process = new PeerProcess(
    'kamailio',
    ['-DD', '-E', '-f', join(folder, 'kamailio.cfg'), '-m', '32', '-M', '8'],
    {
      cwd: folder,
    },
  );
  await whenListening(port);
  return {
    port,
    async close() {
      await process.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function configOf(port: number, { gateway, password }: KamailioOptions): string {
  const challenge =
    password === undefined
      ? ''
      : `if ($rU != "demo" && is_method("INVITE") && !pv_proxy_authenticate("kamailio", "${password}", "0")) { proxy_challenge("kamailio", "1"); exit; }
         consume_credentials();`;
  return `#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
mpath="${kamailioModulesFolder}"
${['kex', 'tm', 'tmx', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'auth'].map((name) => `loadmodule "${name}.so"`).join('\n')}
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
    if (!is_method("ACK")) sl_send_reply("404", "Not here");
    exit;
  }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  t_check_trans();
  remove_hf("Route");
  if (is_method("INVITE")) record_route();
  if ($rU == "demo") $du = "sip:127.0.0.1:${gateway.port};transport=${gateway.transport}";
  ${challenge}
  if (!t_relay()) sl_reply_error();
}
`;
}
