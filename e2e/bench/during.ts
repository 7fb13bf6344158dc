import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Daemon } from '../harness/daemon.ts';
import { readFigures } from '../harness/figures.ts';
import { removeImage } from '../harness/remove-image.ts';
import { tool } from '../harness/tools.ts';
import type { Subject } from './images.ts';
import type { Figure } from './page.ts';
import { memoryMiB, peak } from './processes.ts';

const execute = promisify(execFile);

/** What pods and lists take while images are pulled without pause, against what they take when nothing is. */
export async function duringPulls(daemon: Daemon, subjects: readonly Subject[], host: string): Promise<Figure[]> {
  const usual = await pods(daemon);
  const memory = peak(() => memoryMiB(daemon.pid()), 250);
  let over = false;
  const measuring = pods(daemon).finally(() => (over = true));
  let pulls = 0;
  do {
    await Promise.all(subjects.map(({ image }) => daemon.cri.call('PullImage', { image: { image: `${host}/${image}` } }, 300_000)));
    pulls += subjects.length;
    for (const { image } of subjects) await removeImage(daemon, `${host}/${image}`);
  } while (!over);
  const during = await measuring;
  const of = (name: string): number => during.get(name) ?? Number.NaN;
  console.log(`${pulls} pulls went on meanwhile; pod ready usually ${usual.get('seq.pod_ready.p50')} ms, then ${of('seq.pod_ready.p50')} ms`);
  return [
    {
      meaning: 'pod ready during pulls, of its usual time, medians',
      value: of('seq.pod_ready.p50') / (usual.get('seq.pod_ready.p50') ?? Number.NaN),
      unit: '×',
      atMost: 1.5,
    },
    ...['list_pods', 'list_containers'].flatMap((list): Figure[] => [
      { meaning: `${list} during pulls, 99th percentile`, value: of(`loaded.${list}.p99`), unit: 'ms', atMost: 5 },
      { meaning: `${list} without, 99th percentile`, value: usual.get(`loaded.${list}.p99`) ?? Number.NaN, unit: 'ms' },
    ]),
    { meaning: 'daemon and engine together, most memory (PSS) during pulls', value: memory(), unit: 'MiB', atMost: 150 },
  ];
}

/** One run of cribench with few pods. */
async function pods({ endpoint, podLogs }: Daemon): Promise<Map<string, number>> {
  const args = ['-endpoint', endpoint, '-procs', 'berthd', '-logs', podLogs, '-n', '12', '-pods', '20', '-lists', '100', '-pace', '10ms'];
  return readFigures((await execute(tool('cribench'), args)).stdout);
}
