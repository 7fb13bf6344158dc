import { readFileSync } from 'node:fs';

/** What the kernel says of a process that does not end, as the end of a sentence: its name, its state, where it waits. */
export function processState(pid: number): string {
  const status = text(`/proc/${pid}/status`);
  if (status === '') return `process ${pid} is gone, its end has not been told`;
  const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? 'unknown';
  const place = text(`/proc/${pid}/wchan`);
  const waiting = place === '' || place === '0' ? '' : `, waits in ${place}`;
  return `process ${pid} (${field('Name')}) is in state ${field('State')}${waiting}${hint(field('State'))}`;
}

function hint(state: string): string {
  return state.startsWith('D') ? ': a disk or a server of files does not answer, and nothing ends it before that does' : '';
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
