// A box that seals secrets with a key of its own.
import { randomBytes } from 'node:crypto';
import type { SecretBox } from '#core/secret-box.ts';
import { secretBoxOf } from '#store/secret-box.ts';

const keyLength = 32;

export const someSecrets = (): SecretBox => secretBoxOf(randomBytes(keyLength));
