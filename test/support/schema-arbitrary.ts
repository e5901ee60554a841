// Owns: values that fit a JSON schema as OpenAPI 3.1 documents use it, for requests made from nothing but the document.
import fc from 'fast-check';

export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly examples?: readonly unknown[];
}

type Resolve = (ref: string) => JsonSchema;

/** Longer ones are of no more use: what has no bound here has one in bytes. */
const mostItems = 4;
const mostCharacters = 40;

/**
 * @param resolve what a `$ref` stands for
 * @throws Error for a keyword that it does not know, so that a document that says more is not half-obeyed
 */
export function arbitraryOf(schema: JsonSchema, resolve: Resolve): fc.Arbitrary<unknown> {
  const { examples, ...rest } = schema;
  // What a document calls an example gets further than what is made up.
  if (examples?.length) return fc.oneof(fc.constantFrom(...examples), arbitraryOf(rest, resolve));
  if (schema.$ref !== undefined) return arbitraryOf(resolve(schema.$ref), resolve);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return fc.oneof(...choices.map((choice) => arbitraryOf(choice, resolve)));
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  if (types.length === 0 && Object.keys(schema).every((key) => key === 'description')) return fc.jsonValue();
  return fc.oneof(...types.map((type) => ofType(type, schema, resolve)));
}

function ofType(type: string, schema: JsonSchema, resolve: Resolve): fc.Arbitrary<unknown> {
  switch (type) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return integerOf(schema);
    case 'number':
      return fc.double({ min: schema.minimum ?? -1e9, max: schema.maximum ?? 1e9, noNaN: true });
    case 'string':
      return stringOf(schema);
    case 'array':
      return arrayOf(schema, resolve);
    case 'object':
      return objectOf(schema, resolve);
    default:
      throw new Error(`no values are known for ${JSON.stringify(schema)}`);
  }
}

/** Bounds are where mistakes live. */
function integerOf({ minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER }: JsonSchema) {
  return fc.oneof(fc.constantFrom(minimum, maximum), fc.integer({ min: minimum, max: maximum }));
}

function stringOf({ pattern, format, minLength = 0, maxLength = Number.MAX_SAFE_INTEGER }: JsonSchema) {
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength;
  if (format === 'uri') return uris;
  if (format === 'date-time') return fc.date({ noInvalidDate: true, ...someYears }).map((date) => date.toISOString());
  if (format !== undefined) throw new Error(`no values are known for the format ${format}`);
  if (pattern !== undefined) return matching(pattern).filter(fits);
  const most = Math.min(maxLength, Math.max(mostCharacters, minLength));
  return fc.string({ minLength, maxLength: most, unit: 'grapheme' }).filter(fits);
}

const uris = fc.webPath().map((path) => `http://127.0.0.1:9${path || '/'}`);

const ofPatterns = new Map<string, fc.Arbitrary<string>>();

/** Making one costs fast-check up to a second; what it makes then is cheap. */
function matching(pattern: string): fc.Arbitrary<string> {
  const known = ofPatterns.get(pattern) ?? fc.stringMatching(new RegExp(pattern), { size: 'small' });
  ofPatterns.set(pattern, known);
  return known;
}

const someYears = { min: new Date('1970-01-01T00:00:00Z'), max: new Date('9999-01-01T00:00:00Z') };

function arrayOf({ items = {}, minItems = 0, maxItems = mostItems }: JsonSchema, resolve: Resolve) {
  const maxLength = Math.min(maxItems, Math.max(mostItems, minItems));
  return fc.array(arbitraryOf(items, resolve), { minLength: minItems, maxLength });
}

function objectOf(schema: JsonSchema, resolve: Resolve): fc.Arbitrary<object> {
  const { properties = {}, required = [], additionalProperties } = schema;
  const known = Object.fromEntries(Object.entries(properties).map(([name, of]) => [name, arbitraryOf(of, resolve)]));
  const record = fc.record(known, { requiredKeys: [...required] });
  if (typeof additionalProperties !== 'object') return record;
  const name = fc.string({ minLength: 1, maxLength: 20 }).filter((key) => !(key in properties));
  const more = fc.dictionary(name, arbitraryOf(additionalProperties, resolve), { maxKeys: mostItems });
  return fc.tuple(more, record).map(([others, own]) => ({ ...others, ...own }));
}
