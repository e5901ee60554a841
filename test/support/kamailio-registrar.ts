// Owns: Kamailio as somebody else's registrar in tests: who registers with the password is called there.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kamailioModulesFolder } from './kamailio.ts';
import { PeerProcess } from './peer-process.ts';
import { freePort, whenListening } from './ports.ts';

export interface KamailioRegistrar {
  readonly port: number;
  close(): Promise<void>;
}

/** @param password of everybody, in the realm `kamailio` */
export async function startKamailioRegistrar(password: string): Promise<KamailioRegistrar> {
  const folder = await mkdtemp(join(tmpdir(), 'kamailio-'));
  const port = await freePort();
  await writeFile(join(folder, 'kamailio.cfg'), configOf(port, password));
  const args = ['-DD', '-E', '-f', join(folder, 'kamailio.cfg'), '-m', '32', '-M', '8'];
  const process = new PeerProcess('kamailio', args, { cwd: folder });
  await whenListening(port);
  return {
    port,
    async close() {
      await process.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const modules = [
  'kex',
  'tm',
  'tmx',
  'sl',
  'rr',
  'pv',
  'maxfwd',
  'textops',
  'siputils',
  'auth',
  'usrloc',
  'registrar',
  'path',
];

function configOf(port: number, password: string): string {
  return `#!KAMAILIO
debug=1
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
mpath="${kamailioModulesFolder}"
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 60)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("kamailio", "${password}", "0")) { www_challenge("kamailio", "1"); exit; }
    append_to_reply("Service-Route: <sip:127.0.0.1:${port};lr>\\r\\n");
    save("location");
    exit;
  }
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
  if (!lookup("location")) { sl_send_reply("404", "Nobody registered"); exit; }
  if (!t_relay()) sl_reply_error();
}
`;
}
