/** Reads the fields of parsed JSON or YAML one by one; whatever is not as declared throws an Error that names its place. */
export type Fields = {
  /** Empty when left out; a number counts as its digits. */
  text(name: string): string;
  /** A text that must not be empty. */
  required(name: string): string;
  texts(name: string): string[];
  /** A whole number from 0 to 2^32 - 1; null when left out. */
  number(name: string): number | null;
  numbers(name: string): number[];
  /** False when left out. */
  truth(name: string): boolean;
  /** The objects of a list, each with its fields out of `known`; none when left out. */
  objects(name: string, known: readonly string[]): Fields[];
  /** An object with fields out of `known`; null when left out. */
  object(name: string, known: readonly string[]): Fields | null;
};

/**
 * The fields of an object that is found at `place`. Names count without regard to case, as Go programs read them. A
 * field that is not among `known` is an error: half a device would be worse than none.
 */
export function fieldsOf(value: unknown, place: string, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${place} is no object`);
  const names = new Map(known.map((name) => [name.toLowerCase(), name]));
  const found = new Map<string, unknown>();
  for (const [key, each] of Object.entries(value)) {
    const name = names.get(key.toLowerCase());
    if (name === undefined) throw new Error(`${place} has an unknown field ${key}`);
    if (each !== null && each !== undefined) found.set(name, each);
  }
  return reader(found, place);
}

function reader(found: ReadonlyMap<string, unknown>, place: string): Fields {
  const at = (name: string, index?: number): string => `${place}.${name}${index === undefined ? '' : `[${index}]`}`;
  const list = <T>(name: string, read: (value: unknown, place: string) => T): T[] => {
    const value = found.get(name) ?? [];
    if (!Array.isArray(value)) throw new Error(`${at(name)} is no list`);
    return value.map((each, index) => read(each, at(name, index)));
  };
  const text = (name: string): string => asText(found.get(name) ?? '', at(name));
  return {
    text,
    required(name) {
      if (text(name) === '') throw new Error(`${at(name)} is missing`);
      return text(name);
    },
    texts: (name) => list(name, asText),
    number: (name) => (found.has(name) ? asNumber(found.get(name), at(name)) : null),
    numbers: (name) => list(name, asNumber),
    truth: (name) => asTruth(found.get(name) ?? false, at(name)),
    objects: (name, known) => list(name, (each, there) => fieldsOf(each, there, known)),
    object: (name, known) => (found.has(name) ? fieldsOf(found.get(name), at(name), known) : null),
  };
}

function asText(value: unknown, place: string): string {
  if (typeof value !== 'string' && typeof value !== 'number') throw new Error(`${place} is no text`);
  return String(value);
}

function asNumber(value: unknown, place: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= 2 ** 32) {
    throw new Error(`${place} is no whole number from 0 to 4294967295`);
  }
  return value;
}

function asTruth(value: unknown, place: string): boolean {
  if (typeof value !== 'boolean') throw new Error(`${place} is neither true nor false`);
  return value;
}
