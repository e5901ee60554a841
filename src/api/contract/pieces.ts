// Owns: what the resources of the API have in common. May import: zod, core, ./pieces.
import { z } from 'zod';
import { ingressLatencies } from '#core/job.ts';

export const time = z.iso.datetime().meta({ description: 'RFC 3339, UTC.', examples: ['2030-01-31T12:00:00.000Z'] });
export const count = z.int().min(0);
export const shortText = z.string().min(1).max(128);
export const avatarUrl = z
  .url({ protocol: /^https?$/ })
  .max(2_048)
  .meta({
    description: 'Of a PNG or JPEG, up to 128 KiB and 1024 pixels a side; `netPolicy` says what may be reached.',
  });
export const role = z.string().min(1).max(64);

export const ingressLatency = z.enum(ingressLatencies).meta({
  description:
    'smooth: sound and picture are in step from the first second. low: pictures leave at once, and browsers take some seconds to bring the two in step. null: as the configuration says.',
});

/** -1 is no limit. */
export const limit = (max: number, description: string) =>
  z
    .int()
    .min(-1)
    .max(max)
    .meta({ description: `${description} -1: no limit.` });

export const bag = (maxKeys: number) =>
  z
    .record(z.string().min(1).max(64), z.string().max(1_024))
    .refine((value) => Object.keys(value).length <= maxKeys, `has at most ${maxKeys} keys`);

const mediaFlags = z.strictObject({ audio: z.boolean(), video: z.boolean(), data: z.boolean() }).readonly();
export const permissionShape = { publish: mediaFlags, subscribe: mediaFlags, chat: z.boolean(), moderate: z.boolean() };

export const permissionsSchema = z.strictObject(permissionShape).meta({
  id: 'Permissions',
  description: 'What a participant may send, receive and do. `moderate`: mute, remove and change the roles of others.',
});

/** A page of a list: `next` is what `after` takes for the following one, null at the end. */
export const page = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item).readonly(), next: z.string().nullable() });

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(50).meta({ description: 'Items on one page.' }),
  after: z.string().max(128).optional().meta({ description: '`next` of the page before.' }),
});

/** @param start of the ids in this list: a cursor of another one would begin anywhere */
export const pageQueryOf = (start: string) =>
  pageQuery.extend({
    after: z
      .string()
      .max(128)
      .regex(new RegExp(`^(${start}|$)`), 'is no `next` of a page of this list')
      .optional()
      .meta({ description: '`next` of the page before.' }),
  });

export const roomParams = z.object({
  room: z
    .string()
    .min(1)
    .max(128)
    .meta({ description: 'Name or id of the room.', examples: ['demo'] }),
});
export const itemId = z.string().min(1).max(128);

/** The merge patch (RFC 7396) of an input: everything may be left out, and null takes away what may be absent. */
export function patchOf(input: z.ZodObject): z.ZodObject {
  const fields = Object.entries(input.shape).map(([key, field]) => [key, patchField(field)] as const);
  return z.strictObject(Object.fromEntries(fields));
}

/**
 * Each entry may be taken away by itself, and changed in part. What may be said of them all holds for the result, which is
 * checked whole.
 */
function patchRecord({ keyType, valueType }: z.ZodRecord): z.ZodType {
  return z.record(keyType, z.union([patchValue(valueType), z.null()]));
}

function patchValue(inner: z.core.$ZodType): z.ZodType {
  if (inner instanceof z.ZodObject) return patchOf(inner);
  if (inner instanceof z.ZodUnion && !(inner instanceof z.ZodDiscriminatedUnion)) {
    return z.union(inner.options.map(patchValue));
  }
  return inner instanceof z.ZodRecord ? patchRecord(inner) : (inner as z.ZodType);
}

function patchField(field: z.core.$ZodType): z.ZodType {
  const described = field as z.ZodType;
  const inner = described instanceof z.ZodOptional ? (described.unwrap() as z.ZodType) : described;
  const patched = patchValue(inner);
  const { description } = described.meta() ?? inner.meta() ?? {};
  const mayGo = described instanceof z.ZodOptional ? patched.nullish() : patched.optional();
  return description === undefined ? mayGo : mayGo.meta({ description });
}

/** Of a merge patch: what is absent stays, null takes it back to its default. */
export const changes = <T extends Record<string, z.ZodType>>(shape: T) =>
  z.strictObject(
    Object.fromEntries(Object.entries(shape).map(([key, value]) => [key, value.nullish()])) as {
      [K in keyof T]: z.ZodOptional<z.ZodNullable<T[K]>>;
    },
  );
