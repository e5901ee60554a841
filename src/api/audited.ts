// Owns: writing down who changed what. May import: core, ./api-env.
import type { MiddlewareHandler } from 'hono';
import type { Principal } from '#core/grants.ts';
import type { ApiEnv } from './api-env.ts';
import { loggedPath } from './logged-path.ts';

/** What was refused for its credential has no actor and is in the log of requests. @param action operation of the API */
export function audited(action: string): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    await next();
    const { actor, name } = actorOf(c.get('principal'));
    try {
      await c.get('audit').append({
        ...{ atMs: Date.now(), actor, name, action, target: loggedPath(c.req.path) },
        ...{ status: c.res.status, address: c.get('address'), requestId: c.get('requestId') },
      });
    } catch (err) {
      // It is done already; that it was not written down is for the operator.
      c.get('log').error({ err, actor, action }, 'audit log not written');
    }
  };
}

export function actorOf(principal: Principal | undefined): { actor: string; name: string } {
  if (!principal) return { actor: 'anonymous', name: '' };
  if (principal.kind === 'participant') {
    const { user } = principal.grant;
    return { actor: `participant:${user}`, name: user };
  }
  return { actor: `${principal.kind}:${principal.keyId}`, name: principal.name };
}
