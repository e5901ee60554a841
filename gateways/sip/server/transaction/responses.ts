import { SipMessage } from '../message/message.ts';

/** Reason phrases of RFC 3261 §21 and the registry; what is missing is told by its class. */
const reasons: Record<number, string> = {
  100: 'Trying',
  180: 'Ringing',
  181: 'Call Is Being Forwarded',
  182: 'Queued',
  183: 'Session Progress',
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  420: 'Bad Extension',
  422: 'Session Interval Too Small',
  480: 'Temporarily Unavailable',
  481: 'Call/Transaction Does Not Exist',
  482: 'Loop Detected',
  483: 'Too Many Hops',
  487: 'Request Terminated',
  491: 'Request Pending',
  500: 'Server Internal Error',
  503: 'Service Unavailable',
  513: 'Message Too Large',
};

export function reasonOf(status: number): string {
  return reasons[status] ?? (status < 300 ? 'OK' : status < 500 ? 'Request Failure' : 'Server Failure');
}

/**
 * The headers that a response takes from its request (RFC 3261 §8.2.6.2).
 * @param toTag put on To where it has none; '' for a 100
 */
export function responseTo(request: SipMessage, status: number, reason: string, toTag: string): SipMessage {
  const response = SipMessage.response(status, reason);
  for (let i = 0; i < request.names.length; i++) {
    const header = request.names[i];
    const value = request.values[i] ?? '';
    switch (header?.name) {
      case 'via':
      case 'from':
      case 'call-id':
      case 'cseq':
      case 'timestamp':
        response.names.push(header);
        response.values.push(value);
        break;
      case 'to':
        response.names.push(header);
        response.values.push(toTag === '' || /;\s*tag\s*=/i.test(value) ? value : `${value};tag=${toTag}`);
        break;
    }
  }
  return response;
}

/** A response made here for a request of ours that nobody answered; looks as if it came from the network. */
export function synthesized(request: SipMessage, status: number, reason = reasonOf(status)): SipMessage {
  return responseTo(request, status, reason, 'none').add('warning', `399 ${madeHere} "${reason}"`);
}

/** Warn-agent (RFC 3261 §20.43) of responses that no peer has sent; gateways/sip/status.ts knows it. */
const madeHere = 'switchyard-local';
