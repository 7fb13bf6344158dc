import { victims } from './choice.ts';
import { type Flatness, type Minute, spans } from './flat.ts';

/** What a soak was and what came of it. */
export type Outcome = {
  readonly minutes: number;
  readonly pods: number;
  readonly seed: number;
  readonly counts: ReadonlyMap<string, number>;
  readonly flatness: readonly Flatness[];
  readonly problems: readonly string[];
};

const units = { rssKiB: 'RSS, KiB', pssKiB: 'PSS, KiB', descriptors: 'descriptors', processes: 'processes' } as const;

/** What has happened so far and what is held now, in one line. */
export function minuteLine(minutes: readonly Minute[], counts: ReadonlyMap<string, number>): string {
  const told = (names: readonly string[]): string => names.map((name) => `${counts.get(name) ?? 0} ${name}`).join(', ');
  const held = Object.entries(minutes.at(-1) ?? {}).map(([kind, { processes, pssKiB, descriptors }]) => `${processes} ${kind} of ${pssKiB} KiB and ${descriptors} descriptors`);
  const groups = [
    told(['restarts', ...victims.map((victim) => `killed ${victim}`)]),
    told(['exits', 'lines', 'logs late', 'rotations', 'pods', 'running', 'pulls']),
    told(['probes', 'failed probes', 'streams', 'broken streams', 'failed calls']),
    held.join(', '),
    told(['PROBLEMS']),
  ];
  return `minute ${minutes.length}: ${groups.join('; ')}`;
}

/** The section of docs/benchmarks.md. */
export function soakSection({ minutes, pods, seed, counts, flatness, problems }: Outcome, on: string): string {
  const of = (what: string): string => String(counts.get(what) ?? 0);
  const killed = victims.map((victim) => `${of(`killed ${victim}`)} ${victim}`);
  const happened = [
    ['pods made and removed', of('pods')],
    ['containers ended, compared with their own books', of('exits')],
    ['log lines compared', of('lines')],
    ['logs rotated', of('rotations')],
    ['restarts of daemon and engine', of('restarts')],
    ['killed', killed.join(', ')],
    ['probes answered, streamed execs', `${of('probes')}, ${of('streams')}`],
    ['pulls and removals of images', of('pulls')],
    ['calls that failed and were repeated', of('failed calls')],
    ['exits or lines lost, leaks, other problems', problems.length === 0 ? '0' : `**${problems.length}**`],
  ];
  const rows = flatness.map(({ kind, figure, before, after, atMost, flat }) => {
    const cells = [`${kind}, ${units[figure]}`, before.toFixed(0), after.toFixed(0), `≤ ${atMost.toFixed(0)}: ${flat ? 'yes' : '**no**'}`];
    return `| ${cells.join(' | ')} |`;
  });
  const { before, after } = spans(minutes);
  return `${minutes} minutes of ${pods} pods that log, are probed and come and go, while daemon and engine are restarted each minute and
daemon, engine, both, shims, OCI runtime and CNI plugins are killed at random moments. Each container keeps books of its
own in a volume, with which exits and logs are compared (in pods whose shim was killed: what the shim had written).
\`npm run soak\` writes this section; seed ${seed}, measured ${on}.

| what | count |
|---|--:|
${happened.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}

Medians of minutes ${before[0]} to ${before[1]} and ${after[0]} to ${after[1]}; of shims, the middle one:

| what is held | then | at the end | flat |
|---|--:|--:|---|
${rows.join('\n')}`;
}
