/** Compact forms (RFC 3261 §7.3.3 and the registry of later ones). */
const compactForms: Record<string, string> = {
  a: 'accept-contact',
  b: 'referred-by',
  c: 'content-type',
  d: 'request-disposition',
  e: 'content-encoding',
  f: 'from',
  i: 'call-id',
  j: 'reject-contact',
  k: 'supported',
  l: 'content-length',
  m: 'contact',
  n: 'identity-info',
  o: 'event',
  r: 'refer-to',
  s: 'subject',
  t: 'to',
  u: 'allow-events',
  v: 'via',
  x: 'session-expires',
  y: 'identity',
};

/** As the RFCs spell them. */
// biome-ignore format: a table reads better in columns
const spellings = [
  'Accept', 'Accept-Contact', 'Accept-Encoding', 'Accept-Language', 'Alert-Info', 'Allow', 'Allow-Events',
  'Authentication-Info', 'Authorization', 'Call-ID', 'Call-Info', 'Contact', 'Content-Disposition', 'Content-Encoding',
  'Content-Language', 'Content-Length', 'Content-Type', 'CSeq', 'Date', 'Diversion', 'Error-Info', 'Event', 'Expires',
  'From', 'Geolocation', 'History-Info', 'Identity', 'Identity-Info', 'In-Reply-To', 'Join', 'Max-Forwards',
  'MIME-Version', 'Min-Expires', 'Min-SE', 'Organization', 'P-Access-Network-Info', 'P-Asserted-Identity',
  'P-Preferred-Identity', 'Path', 'Priority', 'Privacy', 'Proxy-Authenticate', 'Proxy-Authorization', 'Proxy-Require',
  'RAck', 'Reason', 'Record-Route', 'Refer-Sub', 'Refer-To', 'Referred-By', 'Reject-Contact', 'Remote-Party-ID',
  'Replaces', 'Reply-To', 'Request-Disposition', 'Require', 'Retry-After', 'Route', 'RSeq', 'Security-Client',
  'Security-Server', 'Security-Verify', 'Server', 'Service-Route', 'Session-Expires', 'Session-ID', 'SIP-ETag',
  'SIP-If-Match', 'Subject', 'Subscription-State', 'Supported', 'Target-Dialog', 'Timestamp', 'To', 'Unsupported',
  'User-Agent', 'User-to-User', 'Via', 'Warning', 'WWW-Authenticate',
];

/** A header's name in both forms it is needed in. Known ones are shared objects. */
export interface HeaderName {
  /** Full and lower case: what code compares with. */
  readonly name: string;
  /** As it goes on the wire. */
  readonly spelled: string;
  /** A bit of its own for each that is counted, see {@link countedHeaders}; 0 for the rest. */
  readonly bit: number;
}

/** Headers whose presence decides whether a message is one, in the order in which they are asked for. */
export const countedHeaders = [
  ...(['from', 'to', 'call-id', 'cseq', 'max-forwards', 'content-type', 'expires', 'content-length'] as const),
  'via',
] as const;

const bitOf = (name: string): number => {
  const place = (countedHeaders as readonly string[]).indexOf(name);
  return place < 0 ? 0 : 1 << place;
};

const byWritten = new Map<string, HeaderName>();
for (const spelled of spellings) {
  const name = spelled.toLowerCase();
  const header: HeaderName = { name, spelled, bit: bitOf(name) };
  byWritten.set(spelled, header);
  byWritten.set(header.name, header);
}
for (const [compact, name] of Object.entries(compactForms)) {
  const header = byWritten.get(name);
  if (!header) continue;
  byWritten.set(compact, header);
  byWritten.set(compact.toUpperCase(), header);
}

/** A well-known header however it was written, or undefined for the rest; does not check the rest. */
export function knownHeader(written: string): HeaderName | undefined {
  return byWritten.get(written);
}

/** Any header. One of no RFC of ours keeps its spelling if it has capitals, and gets them after each dash if not. */
export function headerName(written: string): HeaderName {
  const lower = written.toLowerCase();
  const known = byWritten.get(written) ?? byWritten.get(lower);
  if (known) return known;
  return { name: lower, spelled: written === lower ? capitalised(lower) : written, bit: 0 };
}

function capitalised(name: string): string {
  return name.replaceAll(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase());
}
