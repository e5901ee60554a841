// Owns: what has to be said to the usual carriers and PBXs, besides names and passwords (docs/protocols/trunks.md). Pure.
import {
  emptyInbound,
  emptyOutbound,
  emptyTrunk,
  type InboundDraft,
  type OutboundDraft,
  type TrunkDraft,
} from './trunk-draft.ts';

interface Preset {
  readonly id: string;
  readonly words: string;
  /** What is yet to be filled in, and what has to be done on the other side. */
  readonly advice: string;
  readonly inbound?: Partial<InboundDraft>;
  readonly outbound?: Partial<OutboundDraft>;
  readonly srtp?: string;
}

export const trunkPresets: readonly Preset[] = [
  {
    id: 'asterisk-address',
    words: 'Asterisk, FreePBX: by address',
    advice: 'The PBX in both places. There: type=endpoint, type=identify with our address, direct_media=no.',
    inbound: { addresses: 'pbx.address' },
    outbound: { hosts: 'pbx.example:5060' },
  },
  {
    id: 'asterisk-register',
    words: 'Asterisk, FreePBX: we register there',
    advice: 'Name and password of an extension of the PBX.',
    outbound: { hosts: 'pbx.example', isRegistering: true, expiresSec: '300' },
  },
  {
    id: 'freeswitch',
    words: 'FreeSWITCH',
    advice: 'Port 5060 is the internal profile, which asks for a password; 5080 the external one.',
    inbound: { addresses: 'fs.address' },
    outbound: { hosts: 'fs.example:5080' },
  },
  {
    id: 'freeswitch-client',
    words: 'FreeSWITCH as our client',
    advice: 'A name and password of your choice; there a gateway with register=false, caller-id-in-from=true.',
    inbound: { username: 'freeswitch' },
  },
  {
    id: '3cx',
    words: '3CX, generic trunk',
    advice: 'User name: the number. Name in the password dialogue: its Authentication ID. Domain: its FQDN.',
    outbound: { hosts: 'company.3cx.example', domain: 'company.3cx.example', isRegistering: true },
  },
  {
    id: 'cisco',
    words: 'Cisco CUCM, CUBE',
    advice: 'The addresses of all nodes, one a line. Turn the OPTIONS ping on there.',
    inbound: { addresses: 'node.address' },
    outbound: { hosts: 'cucm.example', transport: 'tcp', keepAliveSec: '60' },
  },
  {
    id: 'avaya',
    words: 'Avaya Session Manager',
    advice: 'There: "Call Routing Method: Request-URI".',
    inbound: { addresses: 'sm.address' },
    outbound: { hosts: 'sm.example', transport: 'tls' },
  },
  {
    id: 'kamailio',
    words: 'Kamailio, OpenSIPS',
    advice: 'The addresses of the proxy; its Record-Route is followed.',
    inbound: { addresses: 'proxy.address' },
    outbound: { hosts: 'proxy.example' },
  },
  {
    id: 'twilio',
    words: 'Twilio Elastic SIP',
    advice: 'Addresses from their list of signalling addresses of your edge; numbers as +E.164; with secure trunking.',
    inbound: { addresses: 'from.their.list' },
    outbound: { hosts: 'company.pstn.twilio.com', transport: 'tls' },
    srtp: 'require',
  },
  {
    id: 'telnyx',
    words: 'Telnyx',
    advice: 'Name and password of the connection; numbers as +E.164.',
    outbound: { hosts: 'sip.telnyx.com', transport: 'tls', isRegistering: true, callerHeader: 'p-asserted-identity' },
  },
  {
    id: 'own-from',
    words: 'Sipgate, Deutsche Telekom and others that want their own From',
    advice: 'Domain as in their sheet; the number that is shown goes into P-Preferred-Identity.',
    outbound: { hosts: 'carrier.example', isRegistering: true, callerHeader: 'p-preferred-identity' },
  },
  {
    id: 'address',
    words: 'Any that is known by address alone',
    advice: 'Addresses and hosts of its sheet; no user name.',
    inbound: { addresses: 'from.its.sheet' },
    outbound: { hosts: 'carrier.example', keepAliveSec: '60' },
  },
];

/** The name and whether it holds stay as they were typed. */
export function withPreset({ name, isEnabled }: TrunkDraft, { inbound, outbound, srtp = '' }: Preset): TrunkDraft {
  return {
    ...{ ...emptyTrunk, name, isEnabled, srtp },
    // A registration brings calls by itself.
    hasInbound: inbound !== undefined,
    inbound: { ...emptyInbound, ...inbound },
    hasOutbound: outbound !== undefined,
    outbound: { ...emptyOutbound, ...outbound },
  };
}
