import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse } from 'smol-toml';
import { RuntimeError } from '../api/errors.ts';
import { nearest } from '../api/nearest.ts';
import { readValue, type Setting } from './config-setting.ts';
import { nameOf, optionList } from './options.ts';

/** Settings of the file and of the drop-ins `berth.d/*.toml` beside it, in the order in which they count. */
export function readConfigFiles(file: string, { mayBeMissing }: { mayBeMissing: boolean }): Setting[] {
  const main = readText(file);
  if (main === undefined && !mayBeMissing) {
    throw new RuntimeError('invalid', `configuration file ${file} does not exist: make it, or leave out --config`);
  }
  const dropIns = listDropIns(join(dirname(file), 'berth.d'));
  return [...(main === undefined ? [] : readSettings(file, main)), ...dropIns.flatMap((each) => readSettings(each, readText(each) ?? ''))];
}

function listDropIns(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.toml')).sort().map((name) => join(folder, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw new RuntimeError('invalid', `cannot read configuration folder ${folder}: ${(error as Error).message}`, error);
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new RuntimeError('invalid', `cannot read configuration file ${file}: ${(error as Error).message}`, error);
  }
}

function readSettings(file: string, text: string): Setting[] {
  const inFile = optionList.filter((each) => each.flagOnly === undefined);
  return Object.entries(parseToml(file, text)).map(([name, value]) => {
    const found = inFile.find((each) => nameOf(each.key) === name);
    if (found === undefined) {
      const meant = nearest(name, inFile.map((each) => nameOf(each.key)));
      throw new RuntimeError('invalid', `${file}: unknown key ${name}${meant === undefined ? '' : `: did you mean ${meant}?`}`);
    }
    return { key: found.key, value: readValue(`${file}: ${name}`, value, found.kind.fromToml) };
  });
}

function parseToml(file: string, text: string): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    throw new RuntimeError('invalid', `${file} is not valid TOML: ${(error as Error).message}`, error);
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
