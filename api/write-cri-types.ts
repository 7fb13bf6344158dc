import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The API as a table: fields are `[number, type]`, rpcs `[request, reply, 'server stream'?]`. */
export type CriTable = {
  services: Record<string, Record<string, string[]>>;
  enums: Record<string, Record<string, number>>;
  messages: Record<string, Record<string, [number, string]>>;
};

/** The committed table that `runtime.proto` is held against. */
export function readTable(): CriTable {
  return JSON.parse(readFileSync(new URL('cri-v1-fields.json', import.meta.url), 'utf8')) as CriTable;
}

/** Text of `cri-types.ts` for a table: one type per message and enum, one map of rpcs per service. */
export function typesFrom(table: CriTable): string {
  return [
    '// Written by `node api/write-cri-types.ts` from cri-v1-fields.json; change that, not this.',
    '',
    '/** A 64-bit integer in decimal; it never passes through a number. */',
    'export type Int64 = string;',
    '',
    ...Object.entries(table.enums).map(enumType),
    '',
    ...Object.entries(table.messages).map(([name, fields]) => messageType(name, fields, table)),
    '',
    '/** Every message by its name. */',
    block(
      'Messages',
      Object.keys(table.messages).map((name) => `${name}: ${name}`),
    ),
    'export type Rpc<Request, Reply> = { request: Request; reply: Reply; stream: false };',
    'export type StreamRpc<Request, Reply> = { request: Request; reply: Reply; stream: true };',
    '',
    ...Object.entries(table.services).map(rpcs),
  ].join('\n');
}

function enumType([name, values]: [string, Record<string, number>]): string {
  const line = `export type ${typeName(name)} = ${quoted(values).join(' | ')};`;
  return line.length <= 120 ? line : `export type ${typeName(name)} =\n  | ${quoted(values).join('\n  | ')};`;
}

function messageType(name: string, fields: Record<string, [number, string]>, table: CriTable): string {
  const lines = Object.entries(fields).map(([field, [, type]]) => `${field}: ${fieldType(type, table)}`);
  if (lines.length === 0) return `export type ${name} = Record<string, never>;`;
  const line = `export type ${name} = { ${lines.join('; ')} };`;
  return line.length <= 120 ? line : block(name, lines).trimEnd();
}

function rpcs([service, methods]: [string, Record<string, string[]>]): string {
  const lines = Object.entries(methods).map(
    ([rpc, [request, reply, stream]]) => `${rpc}: ${stream === undefined ? 'Rpc' : 'StreamRpc'}<${request}, ${reply}>`,
  );
  return `/** Every rpc of ${service}. */\n${block(`${service}Rpcs`, lines)}`;
}

function fieldType(type: string, table: CriTable): string {
  if (type.startsWith('repeated ')) return `${scalarType(type.slice('repeated '.length), table)}[]`;
  if (type.startsWith('map<')) return 'Record<string, string>';
  return type in table.messages ? `${type} | null` : scalarType(type, table);
}

const scalars: Record<string, string> = {
  string: 'string',
  bool: 'boolean',
  bytes: 'Buffer',
  double: 'number',
  int32: 'number',
  uint32: 'number',
  int64: 'Int64',
  uint64: 'Int64',
};

function scalarType(type: string, table: CriTable): string {
  if (type in table.messages || type in table.enums) return typeName(type);
  const scalar = scalars[type];
  if (scalar === undefined) throw new TypeError(`no TypeScript type is known for the field type ${type}`);
  return scalar;
}

/** `SecurityProfile.ProfileType` is `SecurityProfileType`. */
function typeName(name: string): string {
  return name.replace('.Profile', '');
}

function quoted(values: Record<string, number>): string[] {
  return Object.keys(values).map((value) => `'${value}'`);
}

function block(name: string, lines: string[]): string {
  return `export type ${name} = {\n${lines.map((line) => `  ${line};\n`).join('')}};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(new URL('cri-types.ts', import.meta.url), typesFrom(readTable()));
}
