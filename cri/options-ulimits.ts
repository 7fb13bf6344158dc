import type { OciRlimit } from '../pod/spec/oci.ts';
import { RLIMITS } from '../pod/spec/rlimits.ts';
import { type Kind, words } from './options-kinds.ts';

const list = words('NAME=SOFT[:HARD]');

/** Limits of getrlimit(2) as CRI-O writes them, `nofile=1024:4096`; one number is both. */
export const ulimits: Kind<readonly OciRlimit[]> = {
  placeholder: list.placeholder,
  fromText: (given) => list.fromText(given).map(read),
  fromToml: (value) => list.fromToml(value).map(read),
  toText: (value) => list.toText(value.map(write)),
  toToml: (value) => list.toToml(value.map(write)),
};

function read(text: string): OciRlimit {
  const [, name = '', soft = '', hard = soft] = /^([a-z]+)=(\d{1,15})(?::(\d{1,15}))?$/.exec(text) ?? [];
  const type = `RLIMIT_${name.toUpperCase()}`;
  if (!RLIMITS.has(type) || Number(soft) > Number(hard)) {
    throw new Error('must be limits such as nofile=1024:4096, named as in getrlimit(2), the soft one not above the hard one');
  }
  return { type, soft: Number(soft), hard: Number(hard) };
}

function write({ type, soft, hard }: OciRlimit): string {
  return `${type.slice('RLIMIT_'.length).toLowerCase()}=${soft}:${hard}`;
}
