import type { Dialog } from '../dialog/dialog.ts';
import { SipMessage } from '../message/message.ts';
import { parseUri } from '../message/uri.ts';
import type { Flow } from '../transport/flow.ts';
import type { AgentContext } from './context.ts';
import type { Way } from './outgoing-request.ts';

/**
 * Finds where a request in a dialog goes: the connection it has, the one that the phone has registered over since, or what
 * its next hop's name leads to.
 */
export function wayTo({ locator, bindings }: AgentContext, dialog: Dialog, go: (way: Way) => void): void {
  const { flow } = dialog.remote;
  if (flow?.isOpen) {
    go({ flow });
    return;
  }
  const uri = parseUri(dialog.nextHop);
  const bound = uri && bindings.flowFor(uri);
  if (bound) {
    go({ flow: bound });
    return;
  }
  const now = uri ? locator.locateNow(uri) : [];
  if (now || !uri) go({ targets: now ?? [] });
  else void locator.locate(uri).then((targets) => go({ targets }));
}

export function flowOf({ transports }: AgentContext, way: Way): Flow | undefined {
  if ('flow' in way) return way.flow;
  const [target] = way.targets;
  return target && transports.flowTo(target);
}

export function copyOf(request: SipMessage): SipMessage {
  const copy = SipMessage.request(request.method, request.uri);
  copy.names.push(...request.names);
  copy.values.push(...request.values);
  copy.body = request.body;
  return copy;
}
