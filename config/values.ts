// Owns: the kinds of values that sections of the configuration share. May import: zod.
import { z } from 'zod';

/** 0 takes any. */
export const port = z.int().min(0).max(65535);
export const milliseconds = z.int().positive();
