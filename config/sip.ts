// Owns: the settings of phones: SIP signalling, trunks, accounts, defence. May import: zod, its neighbours.
import { z } from 'zod';
import { sipFreeSwitch } from './sip-freeswitch.ts';
import { sipKeys } from './sip-keys.ts';
import { sipMenus } from './sip-menus.ts';
import { sipParking } from './sip-parking.ts';
import { sipRules } from './sip-rules.ts';
import { sipTransfer } from './sip-transfer.ts';
import { sipVideo } from './sip-video.ts';
import { milliseconds, port } from './values.ts';

const sipTlsName = z.strictObject({
  name: z.string().describe('Name that the client asks for (SNI).'),
  certificateFile: z.string().describe('PEM chain for it.'),
  privateKeyFile: z.string().describe('PEM key of it.'),
});

export const sip = z
  .strictObject({
    isEnabled: z
      .boolean()
      .default(true)
      .describe('Lets phones call rooms, past the PIN of each; and rooms call phones.'),
    hosts: z.array(z.string()).min(1).default(['0.0.0.0']).describe('Addresses to listen on; add "::" for IPv6.'),
    port: port.default(5060).describe('UDP and TCP. 0 picks a free port.'),
    tlsPort: port.default(5061).describe('TLS; needs a certificate, or the one made for HTTPS.'),
    hasUdp: z.boolean().default(true).describe('SIP over UDP.'),
    hasTcp: z.boolean().default(true).describe('SIP over TCP.'),
    hasTls: z.boolean().default(true).describe('SIP over TLS.'),
    forcesRport: z
      .boolean()
      .default(true)
      .describe(
        'Answers by UDP go to the port that the request came from, also where its Via has no rport (RFC 3581).',
      ),
    hasWebSocket: z.boolean().default(true).describe('SIP over WebSocket: /sip on HTTP and HTTPS.'),
    externalAddress: z.string().optional().describe('Public address of this machine behind NAT, for Via and Contact.'),
    publicHost: z
      .string()
      .optional()
      .describe('Name that people are told to dial, if it is not that of http.publicUrl.'),
    product: z
      .string()
      .max(64)
      .regex(/^[\w.!%*_+`'~/ -]*$/)
      .default('Switchyard')
      .describe('User-Agent of our requests and Server of our answers; empty: neither is sent.'),
    localNetworks: z
      .array(z.string())
      .optional()
      .describe('Networks (CIDR) that are told the local address instead; the private ones if absent.'),
    tls: z
      .strictObject({
        certificateFile: z.string().optional().describe('PEM chain; that of HTTPS if absent.'),
        privateKeyFile: z.string().optional().describe('PEM key of that certificate.'),
        authoritiesFile: z.string().optional().describe('PEM of who may sign peers; the well-known ones if absent.'),
        names: z.array(sipTlsName).default([]).describe('Other certificates, by the name that is asked for.'),
        clientCertificates: z
          .enum(['none', 'request', 'require'])
          .default('none')
          .describe('Whether those who connect must show a certificate.'),
        verifiesServers: z.boolean().default(true).describe('Whether those we connect to must show a valid one.'),
      })
      .prefault({})
      .describe('SIP over TLS.'),
    dns: z
      .strictObject({
        servers: z
          .array(z.string())
          .default([])
          .describe('DNS servers (address or address:port); those of the machine if empty.'),
        usesNaptr: z.boolean().default(true).describe('Asks NAPTR before SRV (RFC 3263).'),
        timeoutMs: milliseconds.default(2000).describe('For one query.'),
      })
      .prefault({})
      .describe('How names of SIP servers are resolved.'),
    timers: z
      .strictObject({
        t1Ms: milliseconds.default(500).describe('Round-trip estimate; 64 of it is when a peer is given up.'),
        t2Ms: milliseconds.default(4000).describe('Longest wait between retransmissions.'),
        t4Ms: milliseconds.default(5000).describe('How long a message may be under way.'),
        failoverMs: milliseconds.default(4000).describe('How long one target may be silent while others are left.'),
        minSessionSec: z
          .int()
          .min(2)
          .max(3600)
          .default(90)
          .describe(
            'Shortest session timer (RFC 4028) that is agreed to; a shorter one is answered 422. The RFC knows none below 90.',
          ),
      })
      .prefault({})
      .describe('RFC 3261 timers.'),
    limits: z
      .strictObject({
        maxMessageBytes: z
          .int()
          .min(4096)
          .max(262_144)
          .default(65_535)
          .describe('Longest message; a longer one is refused.'),
        maxConnections: z.int().positive().default(5000).describe('TCP, TLS and WebSocket connections at once.'),
        maxConnectionsPerAddress: z.int().positive().default(200).describe('The same for one address.'),
        messagesPerSecond: z
          .int()
          .min(0)
          .default(2000)
          .describe('From one address; what is over is dropped. 0 is no limit.'),
        idleTimeoutMs: milliseconds.default(900_000).describe('Closes a connection that is silent for so long.'),
        callsPerSecondPerAddress: z
          .number()
          .positive()
          .default(20)
          .describe('New calls from one address that is no trunk; past it 503 with Retry-After.'),
        callsPerSecond: z.number().positive().default(500).describe('The same from all of them together.'),
        unacknowledgedPerAddress: z
          .int()
          .positive()
          .default(32)
          .describe(
            'Calls from one address that is no trunk which were answered and whose ACK has not come; past it 503.',
          ),
        unacknowledgedPerTrunk: z.int().positive().default(200).describe('The same of one trunk.'),
        askingPerAddress: z
          .int()
          .positive()
          .default(20)
          .describe(
            'Calls from one address that is no trunk, or of one account, which are at a PIN, in a menu or waiting to be let in; past it 503.',
          ),
        askingPerTrunk: z.int().positive().default(200).describe('The same of one trunk.'),
        maxTransactions: z.int().positive().default(200_000).describe('Requests in progress; past it 503.'),
        exemptNetworks: z.array(z.string()).default([]).describe('Networks (CIDR) without rate and connection limit.'),
      })
      .prefault({})
      .describe('What a SIP peer may do.'),
    access: z
      .enum(['pin', 'open', 'closed'])
      .default('pin')
      .describe('Who may call a room that does not say: who types its PIN, whoever calls, nobody.'),
    rules: sipRules,
    bans: z
      .strictObject({
        isEnabled: z.boolean().default(true).describe('Whether who does wrong too often is banned.'),
        tolerance: z
          .number()
          .min(1)
          .max(1_000)
          .default(20)
          .describe('Wrong passwords and PINs that are borne, one more each minute.'),
        firstBanMs: milliseconds.default(300_000).describe('The first ban; each further one is four times as long.'),
        maxBanMs: milliseconds.default(86_400_000).describe('The longest.'),
        exemptNetworks: z
          .array(z.string())
          .default(['127.0.0.0/8', '::1/128'])
          .describe(
            'Networks (CIDR) never banned by themselves, and free in calls per second; so are those of trunks.',
          ),
      })
      .prefault({})
      .describe('Addresses that are not answered any more (/api/sip/bans).'),
    numberPlan: z
      .strictObject({
        countryCode: z
          .string()
          .regex(/^[1-9]\d{0,3}$/)
          .optional()
          .describe('Of numbers that do not say: 49.'),
        nationalPrefix: z
          .string()
          .regex(/^\d{0,3}$/)
          .default('0')
          .describe('In front of numbers of the country.'),
        internationalPrefix: z
          .string()
          .regex(/^\d{1,4}$/)
          .default('00')
          .describe('In front of numbers of others, like +.'),
      })
      .prefault({})
      .describe('How numbers are written here, so that rules find +49 30 123, 0049 30 123 and 030 123 the same.'),
    callers: z
      .enum(['anyone', 'known'])
      .default('anyone')
      .describe('Whether whoever calls gets to the door of a room, or trunks and accounts alone.'),
    realm: z
      .string()
      .regex(/^[\w.@ -]{1,64}$/, 'has letters, digits and . @ - _ only')
      .default('switchyard')
      .describe('Named to those who are asked for a password.'),
    digestAlgorithms: z
      .array(z.enum(['SHA-512-256', 'SHA-256', 'MD5']))
      .min(1)
      .default(['SHA-256', 'MD5'])
      .describe('How passwords may be shown, the best first; some old phones know MD5 alone and take nothing else.'),
    registrar: z
      .strictObject({
        minExpiresSec: z.int().min(10).max(3_600).default(60).describe('Shorter ones are answered 423 with this.'),
        maxExpiresSec: z.int().min(60).max(86_400).default(3_600).describe('Longer ones are cut to this.'),
      })
      .prefault({})
      .describe('Phones with an account (/api/sip/accounts) that register here.'),
    transfer: sipTransfer,
    menus: sipMenus,
    parking: sipParking,
    keys: sipKeys,
    headers: z
      .array(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'is no name of a header'))
      .default([])
      .describe('Headers that calls out may bring besides X-… and those named in docs/protocols/sip.md.'),
    attributeHeaders: z
      .array(z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'is no name of a header'))
      .max(16)
      .default([])
      .describe('Headers of calls in that become attributes of the participant (sip.h.x-customer).'),
    records: z
      .strictObject({
        max: z.int().min(0).max(1_000_000).default(10_000).describe('So many calls are kept; 0 keeps none.'),
        maxAgeDays: z.int().min(1).max(3_650).default(30).describe('And no longer than this.'),
      })
      .prefault({})
      .describe('Records of calls.'),
    codecs: z
      .array(z.enum(['opus', 'g722', 'pcmu', 'pcma']))
      .min(1)
      .default(['opus', 'g722', 'pcmu', 'pcma'])
      .describe('Codecs of calls.'),
    media: z
      .enum(['native', 'freeswitch'])
      .default('native')
      .describe('Who has the media of calls whose trunk does not say: the gateway itself, or `sip.freeswitch`.'),
    freeswitch: sipFreeSwitch,
    video: sipVideo,
    srtp: z
      .enum(['off', 'allow', 'require'])
      .default('allow')
      .describe('Encrypted media (SDES): allow takes it where a phone offers it, require refuses calls without.'),
    maxCalls: z.int().positive().default(2_000).describe('Calls at once; past it 503.'),
    maxDurationMs: milliseconds.max(604_800_000).default(14_400_000).describe('Hangs up a call that is so long.'),
    ringTimeoutMs: milliseconds.max(600_000).default(60_000).describe('Gives up a phone we call that does not answer.'),
    maxUdpBytes: z.int().min(0).default(1300).describe('Longer requests go by TCP where the peer takes it; 0 never.'),
    ladder: z
      .strictObject({
        calls: z.int().min(0).default(500).describe('Calls whose messages are kept; 0 keeps none.'),
        messagesPerCall: z.int().min(2).default(64).describe('Messages kept of each.'),
      })
      .prefault({})
      .describe('Messages kept for looking at calls.'),
    hep: z
      .strictObject({
        host: z.string().describe('HEPv3 collector (Homer).'),
        port: port.default(9060).describe('UDP port of it.'),
        captureId: z.int().min(0).default(2001).describe('Names this gateway there.'),
        password: z.string().optional().describe('If it asks for one.'),
      })
      .optional()
      .describe('Copies of all SIP messages.'),
    drachtio: z
      .strictObject({
        host: z.string().describe('A drachtio-server to use instead of the built-in SIP server.'),
        port: port.default(9022).describe('Its control port.'),
        secret: z.string().describe('Its secret.'),
      })
      .optional()
      .describe('A drachtio-server of your own.'),
  })
  .refine(({ media, freeswitch }) => media === 'native' || freeswitch !== undefined, {
    path: ['media'],
    error: 'is freeswitch, and sip.freeswitch does not say where that is',
  });
