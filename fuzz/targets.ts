import { isDeepStrictEqual } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { RuntimeError } from '../api/errors.ts';
import { encodeFrame, frameReader as ownFrames } from '../api/frame.ts';
import { openFrame, data as spdyData } from '../cri/spdy/examples.ts';
import { frameReader as spdyFrames, goAwayFrame, pingFrame, RESET, resetFrame } from '../cri/spdy/frame.ts';
import { emptyBlock, headerReader } from '../cri/spdy/header.ts';
import { resizeReader } from '../cri/streaming/channels.ts';
import { frameReader as webSocketFrames } from '../cri/websocket/frame.ts';
import { parseConfig } from '../image/manifest/config.ts';
import { type Manifest, parseManifest } from '../image/manifest/manifest.ts';
import { parsePayload } from '../image/policy/payload.ts';
import { parsePolicy } from '../image/policy/policy.ts';
import { choosePlatform } from '../image/manifest/platform.ts';
import { formatReference, isDigest, isShortName, nameOf, parseReference } from '../image/manifest/reference.ts';
import { parseAuthFile } from '../image/registry/auth-file.ts';
import { parseChallenges } from '../image/registry/challenge.ts';
import { emptyConf, mergeConf, parseRegistriesConf } from '../image/registry/conf.ts';
import { candidates, endpoints } from '../image/registry/endpoint.ts';
import { parseHostsFile } from '../image/registry/hosts-file.ts';
import { cdiYaml } from '../pod/cdi/read.ts';
import { readCdiSpec } from '../pod/cdi/spec.ts';
import { parseConfig as parseCni } from '../pod/network/config.ts';
import { cut } from './mutate.ts';
import type { Target } from './run.ts';
import * as seeds from './seeds.ts';

/** Every parser in TypeScript of bytes that others write. */
export const targets: Readonly<Record<string, Target>> = {
  reference: { seeds: seeds.references, parse: (input) => refusing(() => reference(input.toString('utf8'))) },
  manifest: { seeds: seeds.manifests, parse: (input) => refusing(() => manifest(input.toString('utf8'))) },
  config: { seeds: seeds.configs, parse: (input) => refusing(() => config(input.toString('utf8'))) },
  challenge: { seeds: seeds.challenges, parse: (input) => `${parseChallenges(input.toString('latin1')).length} challenges` },
  hosts: { seeds: seeds.hosts, parse: (input) => refusing(() => `${parseHostsFile(input.toString('utf8'), 'hosts.toml').mirrors.length} mirrors`) },
  registries: { seeds: seeds.registries, parse: (input) => refusing(() => registries(input.toString('utf8'))) },
  auth: { seeds: seeds.auths, parse: (input) => refusing(() => Object.keys(parseAuthFile(input.toString('utf8'), 'auth.json')).join(' ')) },
  cdi: { seeds: seeds.cdi, parse: (input) => refusing(() => `${readCdiSpec(parseYaml(input.toString('utf8'), cdiYaml)).devices.length} devices`, Error) },
  cni: { seeds: seeds.cni, parse: (input) => refusing(() => `${parseCni('x.conflist', input.toString('utf8')).plugins.length} plugins`) },
  policy: { seeds: seeds.policies, parse: (input) => refusing(() => `${parsePolicy(input.toString('utf8'), 'policy.json').scopes.size} scopes`) },
  payload: { seeds: seeds.payloads, parse: (input) => refusing(() => { const { digest, type } = parsePayload(input.toString('utf8')); must(isDigest(digest), digest); return type; }) },
  spdy: { seeds: [seeds.join(openFrame(1, 'error'), openFrame(3, 'stdin'), spdyData(3, 'hello'), pingFrame(1), resetFrame(3, RESET.cancel), goAwayFrame(0))], parse: inAnyPieces(spdyFrames) },
  'spdy-headers': { seeds: [emptyBlock(true), openFrame(1, 'error').subarray(18)], parse: (input) => refusing(() => `${headerReader()(input).size} headers`, RangeError) },
  websocket: { seeds: seeds.webSocket, parse: inAnyPieces(webSocketFrames) },
  resize: { seeds: ['{"Width":80,"Height":24}', '{"Width":1,"Height":2}\n{"Width":3'], parse: (input) => `${resizeReader()(input).length} sizes` },
  frames: {
    seeds: [encodeFrame({ id: 1, call: 'hello', protocol: 1 }), encodeFrame({ id: 1, ok: {} })],
    parse: inAnyPieces(() => { const reader = ownFrames(); return (chunk) => reader.feed(chunk); }, SyntaxError),
  },
};

/** What `work` says, or how it refused; any other error than one of ours breaks the property. */
function refusing(work: () => string, allowed: new (...args: never[]) => Error = RuntimeError): string {
  try {
    return work();
  } catch (error) {
    if (error instanceof RuntimeError) return `${error.kind} ${shape(error.message)}`;
    if (error instanceof allowed) return `refused: ${shape(error.message)}`;
    throw error;
  }
}

/** The last words of a message, which repeat least of the input. */
function shape(message: string): string {
  return message.split(/\s+/).slice(-3).filter((word) => /^[a-z]+$/.test(word)).join(' ');
}

function reference(text: string): string {
  const read = parseReference(text);
  const again = parseReference(formatReference(read));
  must(isDeepStrictEqual(read, again), `it prints as ${formatReference(read)}, which is another`);
  must(isDeepStrictEqual(parseReference(nameOf(read)).path, read.path), 'its name is of another repository');
  must(/^[\x21-\x7e]+$/.test(nameOf(read)) && !/(^|\/)\.\.?(\/|$)/.test(nameOf(read)), `its name is ${nameOf(read)}`);
  return `${isShortName(text)} ${read.tag !== ''} ${read.digest !== ''}`;
}

function manifest(text: string): string {
  const read = parseManifest(text, 'application/vnd.oci.image.manifest.v1+json');
  if (read.kind === 'index') {
    for (const entry of read.entries) mustDescribe(entry);
    return `index of ${Math.min(read.entries.length, 9)}, ${choosePlatform(read, { os: 'linux', architecture: 'amd64', variant: 'v3' }).nested}`;
  }
  for (const descriptor of [read.config, ...(read satisfies Manifest).layers]) mustDescribe(descriptor);
  return `${Math.min(read.layers.length, 9)} layers`;
}

function mustDescribe({ digest, sizeBytes }: { digest: string; sizeBytes: number }): void {
  must(isDigest(digest) && !digest.includes('/') && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0, `it names ${digest} of ${sizeBytes} bytes`);
}

function config(text: string): string {
  const { config: read, diffIds } = parseConfig(text);
  for (const diffId of diffIds) must(isDigest(diffId), `it names ${diffId}`);
  for (const list of [read.env, read.cmd, read.entrypoint, read.volumes]) must(list.every((item) => typeof item === 'string'), 'a list holds what is no text');
  return `${Math.min(diffIds.length, 9)} layers`;
}

function registries(text: string): string {
  const conf = mergeConf(emptyConf, parseRegistriesConf(text, 'registries.conf'));
  const found = candidates('docker.io/library/busybox:1', conf).flatMap((each) => endpoints(each, conf));
  return `${conf.rules.length} rules, ${found.length} endpoints`;
}

/** A reader of frames gets the same out of the bytes however they are cut, or refuses them; then what came before is of no use. */
function inAnyPieces(open: () => (chunk: Buffer) => readonly object[], allowed: new (...args: never[]) => Error = RangeError): Target['parse'] {
  return (input, random) => {
    const [whole, pieces] = [all(open(), [input], allowed), all(open(), cut(input, random), allowed)];
    const same = whole.at(-1)?.['type'] === 'refused' ? pieces.at(-1)?.['type'] === 'refused' : isDeepStrictEqual(whole, pieces);
    must(same, `whole it gives ${JSON.stringify(whole)}, in pieces ${JSON.stringify(pieces)}`);
    return whole.map((each) => each['type'] ?? 'message').join(' ').slice(0, 80);
  };
}

type Read = { [key: string]: unknown; bytes?: Buffer };

function all(read: (chunk: Buffer) => readonly object[], chunks: readonly Buffer[], allowed: new (...args: never[]) => Error): Read[] {
  const frames: Read[] = [];
  try {
    for (const chunk of chunks) for (const frame of read(chunk)) add(frames, frame as Read);
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof allowed)) throw error;
    frames.push({ type: 'refused' });
  }
  return frames;
}

/** Data come in pieces as they arrive: those of one frame are put together. */
function add(frames: Read[], frame: Read): void {
  const last = frames.at(-1);
  const goesOn = last !== undefined && ((frame['type'] === 'data' && last['type'] === 'data' && last['stream'] === frame['stream'] && last['fin'] === false) || (frame['type'] === 'piece' && last['type'] === 'piece' && frame['first'] === false));
  if (!goesOn) return void frames.push({ ...frame });
  last.bytes = Buffer.concat([last.bytes ?? Buffer.alloc(0), frame.bytes ?? Buffer.alloc(0)]);
  if ('fin' in frame) last['fin'] = frame['fin'];
}

function must(holds: boolean, otherwise: string): void {
  if (!holds) throw new Error(otherwise);
}
