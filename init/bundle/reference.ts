import { jsonSchema } from './json-schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** Every key of a bundle file as a Markdown table: key, type, default, meaning. */
export function schemaReference(): string {
  const rows = rowsOf(jsonSchema(), '');
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function rowsOf(schema: Json, prefix: string): readonly string[] {
  return Object.entries(object(schema.properties)).flatMap(([name, value]) => {
    const key = object(value);
    const path = `${prefix}${name}`;
    const cells = [code(path), typeOf(key), defaultOf(schema, name, key), String(key.description ?? '')];
    return [`| ${cells.map(cell).join(' | ')} |`, ...below(key, path)];
  });
}

/** The keys within a key: of the map that it is, of each value of a map with free names, of each item of a list. */
function below(schema: Json, path: string): readonly string[] {
  const forms = [schema, ...list(schema.anyOf).map(object)];
  return forms.flatMap((form) => [
    ...rowsOf(form, `${path}.`),
    ...belowEach(object(form.additionalProperties), `${path}.${FREE_NAMES[path] ?? '<name>'}`),
    ...belowEach(object(form.items), `${path}[]`),
  ]);
}

function belowEach(schema: Json, path: string): readonly string[] {
  return Object.keys(schema).length === 0 ? [] : below(schema, path);
}

const FREE_NAMES: Readonly<Record<string, string>> = {
  daemons: '<daemon>',
  secrets: '<secret>',
  signals: '<signal>',
  'daemons.<daemon>.depends_on': '<daemon>',
  'daemons.<daemon>.ulimits': '<limit>',
};

function typeOf(schema: Json): string {
  if (typeof schema.title === 'string') return schema.title;
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  const values = list(schema.enum);
  if (values.length > 0) return values.map((value) => code(String(value))).join(', ');
  const forms = list(schema.anyOf).map(object);
  if (forms.length > 0) return [...new Set(forms.filter(isWorthTelling).map(typeOf))].join(' or ');
  const { type } = schema;
  if (Array.isArray(type)) return type.map((one) => TYPES[String(one)] ?? String(one)).join(' or ');
  if (type === 'array') return listOf(typeOf(object(schema.items)));
  return TYPES[String(type)] ?? String(type);
}

function listOf(items: string): string {
  return items.includes(' or ') ? `list of (${items})` : `list of ${items}`;
}

/** A bare 0 for a duration needs no telling. */
function isWorthTelling(schema: Json): boolean {
  return schema.const !== 0;
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: 'true or false',
  object: 'map',
  null: 'nothing',
};

function defaultOf(parent: Json, name: string, schema: Json): string {
  const value = schema.default;
  if (value === undefined) return list(parent.required).includes(name) ? 'required' : '';
  const isNone = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  return isNone ? '' : code(typeof value === 'string' ? value : JSON.stringify(value));
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

function object(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
