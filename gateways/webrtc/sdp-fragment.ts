// Owns: `application/trickle-ice-sdpfrag` (RFC 8840 §9), in which WHIP and WHEP clients bring candidates and ask for ICE
// restarts. Pure. May import: core.
import { GatewayError } from '#core/errors.ts';
import type { IceCandidate, IceParameters } from '#core/rtp.ts';

export interface IceFragment {
  readonly usernameFragment: string | undefined;
  readonly password: string | undefined;
  readonly candidateCount: number;
}

const maxLines = 512;

/** @throws GatewayError `invalid_sdp` */
export function parseFragment(text: string): IceFragment {
  const lines = text.split(/\r\n|\n|\r/).filter((line) => line !== '');
  if (lines.length === 0) throw new GatewayError('invalid_sdp', 'The SDP fragment is empty.');
  if (lines.length > maxLines) throw new GatewayError('invalid_sdp', 'The SDP fragment has too many lines.');
  if (lines.some((line) => /^[vost]=/.test(line))) {
    throw new GatewayError(
      'unprocessable',
      'This is a whole SDP: media cannot be renegotiated here. DELETE the session and POST a new offer.',
    );
  }
  if (!lines.every((line) => /^[am]=/.test(line))) {
    throw new GatewayError('invalid_sdp', 'An SDP fragment has a= and m= lines only (RFC 8840 section 9).');
  }
  return {
    usernameFragment: firstValue(lines, 'a=ice-ufrag:'),
    password: firstValue(lines, 'a=ice-pwd:'),
    candidateCount: lines.filter((line) => line.startsWith('a=candidate:')).length,
  };
}

function firstValue(lines: readonly string[], prefix: string): string | undefined {
  return lines.find((line) => line.startsWith(prefix))?.slice(prefix.length);
}

/** Our new ICE credentials and, once more, our candidates (RFC 9725 §4.3.3). */
export function writeFragment(
  iceParameters: IceParameters,
  candidates: readonly IceCandidate[],
  firstSection: { readonly kind: string; readonly mid: string },
): string {
  const lines = [
    'a=ice-lite',
    `a=ice-ufrag:${iceParameters.usernameFragment}`,
    `a=ice-pwd:${iceParameters.password}`,
    `m=${firstSection.kind} 9 UDP/TLS/RTP/SAVPF 0`,
    `a=mid:${firstSection.mid}`,
    ...candidates.map(
      ({ foundation, protocol, priority, address, port, type, tcpType }) =>
        `a=candidate:${foundation} 1 ${protocol} ${priority} ${address} ${port} typ ${type}${tcpType ? ` tcptype ${tcpType}` : ''}`,
    ),
    'a=end-of-candidates',
  ];
  return `${lines.join('\r\n')}\r\n`;
}
