// Owns: a merge patch of what is otherwise given whole. Pure. May import: zod, ./merge-patch, ./problem.
import type { ZodType } from 'zod';
import { mergePatch } from './merge-patch.ts';
import { invalidFields } from './problem.ts';

/**
 * @param before what would be given to make it as it is
 * @returns the same with the patch in it @throws GatewayError `invalid_request`, naming the fields
 */
export function patched<T>(schema: ZodType<T>, before: object, patch: object): T {
  const result = schema.safeParse(mergePatch(before, patch));
  if (!result.success) throw invalidFields('body', result.error.issues);
  return result.data;
}
