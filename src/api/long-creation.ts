// Owns: how the making of what takes its time is answered, alike on every route. May import: zod, ./route.
import type { ZodType } from 'zod';
import { jsonBody } from './route.ts';

/** For `responses`: what is kept is answered at once, and `?wait=` says how long to wait for what becomes of it. */
export const longCreation = <T extends ZodType>(schema: T) => ({
  201: jsonBody(schema, 'It is made, and what became of it is in `state`.'),
  202: jsonBody(schema, 'It is kept and being started: read it again at `Location`, or ask with `?wait=`.'),
});

export const creationStatus = (isSettled: boolean): 201 | 202 => (isSettled ? 201 : 202);
