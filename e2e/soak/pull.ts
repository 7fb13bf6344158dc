import { count, persist, problem, type Soak } from './soak.ts';

const small = ['berth/layers:1', 'berth/zstd:1', 'berth/plain:1', 'berth/parentless:1'].map((name) => `docker.io/${name}`);
const large = 'docker.io/berth/bulk:1';
/** One pull in so many is of the large image. */
const LARGE_EVERY = 20;

/** Pulls an image that nobody uses, sees that it is there, removes it, sees that it is not. */
export async function pullAndRemove(soak: Soak): Promise<void> {
  const name = soak.random.below(LARGE_EVERY) === 0 ? large : soak.random.of(small);
  const image = { image: { image: name } };
  const { image_ref } = await persist(soak, 'PullImage', image);
  const pulled = (await persist(soak, 'ImageStatus', image)).image;
  if (pulled === null || pulled.id !== image_ref) problem(soak, `${name} was pulled as ${image_ref} and is ${JSON.stringify(pulled)}`);
  await persist(soak, 'RemoveImage', image);
  const left = (await persist(soak, 'ImageStatus', image)).image;
  if (left !== null) problem(soak, `${name} was removed and is still there: ${JSON.stringify(left)}`);
  count(soak, 'pulls');
}
