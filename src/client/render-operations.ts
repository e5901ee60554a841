// Owns: making operations.mjs and operations.d.mts out of an OpenAPI 3.1 document. Pure. May import: nothing.

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly schema?: Schema;
  }[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
}

export interface OpenApiDocument {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const notice = '// Made from the OpenAPI document by `npm run generate:client`; do not edit.\n';
const mergePatch = 'application/merge-patch+json';

/** @returns what each operation is asked by: method, path, media type of its body */
export function renderOperations(document: OpenApiDocument): string {
  const lines = operationsOf(document).map(({ method, path, operation }) => {
    const types = Object.keys(operation.requestBody?.content ?? {});
    const type = types.includes(mergePatch) ? mergePatch : types[0];
    return `  ${operation.operationId}: ${JSON.stringify([method.toUpperCase(), path, ...(type ? [type] : [])])},\n`;
  });
  return `${notice}export const operations = {\n${lines.join('')}};\n`;
}

/** @returns types of what goes in and comes out */
export function renderTypes(document: OpenApiDocument): string {
  const schemas = Object.entries(document.components.schemas).map(([name, schema]) => {
    return `${comment(schema.description, '')}export type ${name} = ${typeOf(schema)};\n`;
  });
  const operations = operationsOf(document).map(({ operation }) => renderOperation(operation));
  return `${notice}${schemas.join('')}\nexport interface Operations {\n${operations.join('')}}\n`;
}

function operationsOf({ paths }: OpenApiDocument) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  );
}

function renderOperation({ operationId, summary, parameters = [], requestBody, responses }: Operation): string {
  const fields = (place: string) =>
    parameters
      .filter((one) => one.in === place)
      .map(({ name, required, schema = {} }) => ({ name, isRequired: required === true, schema }));
  const query = fields('query');
  const parts = [
    ...fields('path').map(renderField),
    ...(query.length > 0 ? [`query?: { ${query.map(renderField).join(' ')} } | undefined;`] : []),
    ...(requestBody ? [`body${requestBody.required ? '' : '?'}: ${contentType(requestBody.content)};`] : []),
  ];
  const outputs = Object.entries(responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, { content }]) => (content ? contentType(content) : 'undefined'));
  const output = [...new Set(outputs)].join(' | ');
  return `${comment(summary, '  ')}  ${operationId}: { input: { ${parts.join(' ')} }; output: ${output} };\n`;
}

/** JSON where it is offered: streams of events are not for this client. */
function contentType(content: Content): string {
  const schema = content['application/json']?.schema ?? content[mergePatch]?.schema;
  return schema ? typeOf(schema) : 'string';
}

const renderField = ({ name, isRequired, schema }: { name: string; isRequired: boolean; schema: Schema }): string =>
  `${comment(schema.description, '', ' ')}${keyOf(name)}${isRequired ? '' : '?'}: ${typeOf(schema)}${isRequired ? '' : ' | undefined'};`;

const keyOf = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));

function comment(text: string | undefined, indent: string, end = '\n'): string {
  return text ? `${indent}/** ${text.replaceAll('*/', '* /').replaceAll(/\s*\n\s*/g, ' ')} */${end}` : '';
}

/** @returns an expression of TypeScript */
export function typeOf(schema: Schema): string {
  if (schema.$ref !== undefined) return schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return union(schema.enum.map((value) => JSON.stringify(value)));
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return union(choices.map(typeOf));
  if (schema.allOf) return schema.allOf.map((one) => `(${typeOf(one)})`).join(' & ');
  const types = typeof schema.type === 'string' ? [schema.type] : (schema.type ?? []);
  return types.length === 0 ? 'unknown' : union(types.map((type) => simpleType(type, schema)));
}

function simpleType(type: string, schema: Schema): string {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'null':
      return type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return schema.prefixItems
        ? `readonly [${schema.prefixItems.map(typeOf).join(', ')}]`
        : `readonly (${typeOf(schema.items ?? {})})[]`;
    default:
      return objectType(schema);
  }
}

function objectType({ properties = {}, required = [], additionalProperties }: Schema): string {
  const fields = Object.entries(properties).map(([name, schema]) =>
    renderField({ name, isRequired: required.includes(name), schema }),
  );
  const others = typeof additionalProperties === 'object' ? `{ [name: string]: ${typeOf(additionalProperties)} }` : '';
  if (fields.length === 0) return others || '{ [name: string]: unknown }';
  const own = `{ ${fields.join(' ')} }`;
  return others ? `${own} & ${others}` : own;
}

function union(types: readonly string[]): string {
  const different = [...new Set(types)];
  return different.length === 1 ? (different[0] ?? 'never') : `(${different.join(' | ')})`;
}
