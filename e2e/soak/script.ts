/** What a container is to do: write that many numbered lines, then end with that code. */
export type Part = { readonly id: string; readonly lines: number; readonly code: number };

/** The code with which a container answers SIGTERM. */
export const STOPPED_CODE = 7;
/** Lines are written so many at a time, a second apart. */
const BURST = 10;

/**
 * The shell script of a container that keeps books of its own in `/soak`: `starts` has a line for each start, `lines` the
 * number of each line that it has written to its output, `endings` the code with which it is about to end.
 */
export function script({ id, lines, code }: Part): string {
  return [
    `trap 'echo ${STOPPED_CODE} >> /soak/endings; exit ${STOPPED_CODE}' TERM`,
    `echo ${id} >> /soak/starts`,
    'n=0',
    `while [ $n -lt ${lines} ]; do`,
    `  n=$((n + 1)); echo "${id} $n"; echo $n >> /soak/lines`,
    `  [ $((n % ${BURST})) -ne 0 ] || sleep 1`,
    'done',
    `echo ${code} >> /soak/endings`,
    `exit ${code}`,
  ].join('\n');
}
