// Owns: the schema as a flat list of settings, for environment names, the example file and the docs. Pure.
// May import: zod.
import type { z } from 'zod';

export interface Setting {
  /** Keys from the top, `['http', 'port']`. */
  readonly path: readonly string[];
  readonly kind: 'string' | 'number' | 'boolean' | 'enum' | 'array' | 'object';
  /** Undefined where the setting may be absent. */
  readonly defaultValue: unknown;
  readonly description: string;
  readonly choices: readonly string[];
  /** It lies in a section that may be left out as a whole; its own rules hold once that section is there. */
  readonly isInOptionalSection: boolean;
}

export interface Section {
  readonly path: readonly string[];
  readonly description: string;
}

interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly defaultValue?: unknown;
  readonly shape?: Record<string, z.ZodType>;
  readonly entries?: Record<string, string>;
}

const definitionOf = (schema: z.ZodType) => schema.def as unknown as Definition;

/** Through `.optional()`, `.default()` and `.prefault()` to what is inside, keeping the default met on the way. */
function unwrap(schema: z.ZodType): { inner: Definition; defaultValue: unknown; isOptional: boolean } {
  let defaultValue: unknown;
  let isOptional = false;
  let definition = definitionOf(schema);
  while (definition.innerType) {
    if (definition.type === 'default') defaultValue = definition.defaultValue;
    if (definition.type === 'optional') isOptional = true;
    definition = definitionOf(definition.innerType);
  }
  return { inner: definition, defaultValue, isOptional };
}

const kinds: Record<string, Setting['kind']> = {
  string: 'string',
  number: 'number',
  int: 'number',
  boolean: 'boolean',
  enum: 'enum',
  array: 'array',
};

/** Sections and settings in the order of the schema. */
export function listSettings(schema: z.ZodType): { sections: readonly Section[]; settings: readonly Setting[] } {
  const sections: Section[] = [];
  const settings: Setting[] = [];
  const visit = (child: z.ZodType, path: readonly string[], isInOptionalSection: boolean): void => {
    const { inner, defaultValue, isOptional } = unwrap(child);
    const description = child.description ?? '';
    if (inner.shape) {
      if (path.length > 0) sections.push({ path, description });
      for (const [key, value] of Object.entries(inner.shape)) {
        visit(value, [...path, key], isInOptionalSection || isOptional);
      }
      return;
    }
    const choices = Object.values(inner.entries ?? {});
    settings.push({
      path,
      kind: kinds[inner.type] ?? 'object',
      defaultValue,
      description,
      choices,
      isInOptionalSection,
    });
  };
  visit(schema, [], false);
  return { sections, settings };
}

/** `http.maxBodyBytes` as `SWITCHYARD_HTTP_MAX_BODY_BYTES`. */
export function environmentName(path: readonly string[]): string {
  return `SWITCHYARD_${path.map((key) => key.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()).join('_')}`;
}
