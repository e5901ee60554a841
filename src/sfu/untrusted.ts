// Owns: reading values of unknown shape, each within bounds and with its path in the refusal. Pure.
import { GatewayError } from '#core/errors.ts';

/** @throws GatewayError `invalid_request` */
export function refuse(path: string, problem: string): never {
  const message = `${path} ${problem}`;
  throw new GatewayError('invalid_request', `${message}.`, { fields: [{ path, message }] });
}

export function record(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(path, 'must be an object');
  return value as Record<string, unknown>;
}

export function list(value: unknown, path: string, min: number, max: number): readonly unknown[] {
  if (!Array.isArray(value)) refuse(path, 'must be a list');
  if (value.length < min || value.length > max) refuse(path, `must have ${min} to ${max} entries`);
  // A copy without holes, so that `map` visits every index.
  return Array.from(value);
}

export function text(value: unknown, path: string, min: number, max: number, pattern?: RegExp): string {
  if (typeof value !== 'string') refuse(path, 'must be a string');
  if (value.length < min || value.length > max) refuse(path, `must have ${min} to ${max} characters`);
  if (value.includes('\0') || (pattern && !pattern.test(value))) refuse(path, 'has characters that it may not have');
  return value;
}

export function integer(value: unknown, path: string, min: number, max: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    refuse(path, `must be a whole number from ${min} to ${max}`);
  }
  return value;
}

export function oneOf<T extends string>(value: unknown, path: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) refuse(path, `must be one of ${allowed.join(', ')}`);
  return found;
}

/** `null` counts as absent, as JSON clients send it so. */
export function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined || value === null ? undefined : read(value);
}

/** Keeps a key that a client made up from filling the message. */
export const field = (path: string, key: string): string => `${path}.${key.slice(0, 64)}`;
