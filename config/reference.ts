type Json = Readonly<Record<string, unknown>>;

/** By path of a map with free names: what such a name is, e.g. `{ daemons: '<daemon>' }`. */
export type FreeNames = Readonly<Record<string, string>>;

/** Every key of a JSON Schema as a Markdown table: key, type, default, meaning. */
export function referenceTable(schema: Json, names: FreeNames = {}): string {
  const rows = rowsOf(schema, '', names);
  return ['| key | type | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function rowsOf(schema: Json, prefix: string, names: FreeNames): readonly string[] {
  return Object.entries(object(schema.properties)).flatMap(([name, value]) => {
    const key = object(value);
    const path = `${prefix}${name}`;
    const cells = [code(path), typeOf(key), defaultOf(schema, name, key), String(key.description ?? '')];
    return [`| ${cells.map(cell).join(' | ')} |`, ...below(key, path, names)];
  });
}

/** The keys within a key: of the map that it is, of each value of a map with free names, of each item of a list. */
function below(schema: Json, path: string, names: FreeNames): readonly string[] {
  const forms = [schema, ...list(schema.anyOf).map(object)];
  return forms.flatMap((form) => [
    ...rowsOf(form, `${path}.`, names),
    ...belowEach(object(form.additionalProperties), `${path}.${names[path] ?? '<name>'}`, names),
    ...belowEach(object(form.items), `${path}[]`, names),
  ]);
}

function belowEach(schema: Json, path: string, names: FreeNames): readonly string[] {
  return Object.keys(schema).length === 0 ? [] : below(schema, path, names);
}

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
