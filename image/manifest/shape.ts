import { RuntimeError } from '../../api/errors.ts';

/** JSON of unknown shape. */
export type Json = { readonly [key: string]: unknown };

/** Parses a JSON object; `what` names it in errors, which are of kind `corrupt`. */
export function parseObject(text: string, what: string): Json {
  return objectIn(parseJson(text, what), what);
}

/** Parses a JSON list; `what` names it in errors, which are of kind `corrupt`. */
export function parseList(text: string, what: string): readonly unknown[] {
  return listIn(parseJson(text, what), what);
}

/** `value` as an object, else `corrupt`. */
export function objectIn(value: unknown, what: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw new RuntimeError('corrupt', `${what} is no object`);
}

/** `value` as a list; absent and null count as empty. */
export function listIn(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value as unknown[];
  throw new RuntimeError('corrupt', `${what} is no list`);
}

/** `value` as text; absent and null count as empty. */
export function textIn(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw new RuntimeError('corrupt', `${what} is no text`);
}

/** `value` as a list of texts; absent and null count as empty. */
export function textsIn(value: unknown, what: string): string[] {
  return listIn(value, what).map((item) => textIn(item, what));
}

/** `value` as text by text; absent and null count as empty. */
export function textMapIn(value: unknown, what: string): Record<string, string> {
  if (value === undefined || value === null) return {};
  const entries = Object.entries(objectIn(value, what)).map(([key, item]) => [key, textIn(item, what)] as const);
  return Object.fromEntries(entries);
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RuntimeError('corrupt', `${what} is no JSON`, error);
  }
}
