
/** What a container wrote into its volume: ids it was started under, codes it was about to end with, its last line. */
export type Books = { readonly starts: readonly string[]; readonly endings: readonly number[]; readonly lines: number };
/** What the runtime says of it. */
export type Account = { readonly state: string; readonly exitCode: number; readonly log: Log };
/** What was done to it that changes what may be expected. */
export type Suffered = {
  /** Its pod's shim was killed: output that only the shim had is lost, and an end nobody saw has the code 255, else that of a kill or of a write that nobody reads. */
  readonly shimKilled: boolean;
  /** It was asked to stop, alone or with its pod. */
  readonly stopped: boolean;
  /** StartContainer did not succeed, so that the runtime killed what may have begun. */
  readonly startFailed: boolean;
};
/** The lines of a container's log over all its files, and what is wrong with the records. */
export type Log = { readonly texts: readonly string[]; readonly malformed: readonly string[]; readonly torn: boolean };

const KILLED = 137;
const UNKNOWN = 255;
/** The end of the OCI runtime's own process in the container, which the container's program has not taken the place of. */
const RUNTIME_GAVE_UP = 1;

export function readBooks(starts: string, endings: string, lines: string): Books {
  return { starts: whole(starts), endings: whole(endings).map(Number), lines: Number(whole(lines).at(-1) ?? 0) };
}

/** Reads the standard output in log files of the CRI's format, oldest first, as one text. The shell complains elsewhere. */
export function readLog(text: string): Log {
  const texts: string[] = [];
  const malformed: string[] = [];
  let part = '';
  for (const line of whole(text)) {
    const [, stream, tag, content = ''] = /^\d{4}-\d\d-\d\dT\S+ (stdout|stderr) ([FP]) (.*)$/.exec(line) ?? [];
    if (tag === undefined) malformed.push(line);
    if (stream !== 'stdout') continue;
    part += content;
    if (tag === 'F') texts.push(part);
    if (tag === 'F') part = '';
  }
  return { texts, malformed, torn: part !== '' || !(text === '' || text.endsWith('\n')) };
}

/** What is wrong with the runtime's account of a container that has ended, by the container's own books; one line each. */
export function discrepancies(id: string, books: Books, account: Account, suffered: Suffered): string[] {
  return [...startFaults(id, books, suffered), ...exitFaults(books, account, suffered), ...lineFaults(id, books, account.log, suffered)];
}

function startFaults(id: string, { starts }: Books, { shimKilled, stopped, startFailed }: Suffered): string[] {
  if (starts.some((start) => start !== id)) return [`started as ${starts.join()}`];
  if (starts.length > 1) return [`started ${starts.length} times`];
  // Its first command is the note of its start; who is killed at once has not come so far.
  return starts.length === 1 || shimKilled || stopped || startFailed ? [] : ['never started, by its own books'];
}

function exitFaults({ starts, endings }: Books, { state, exitCode }: Account, { shimKilled, stopped, startFailed }: Suffered): string[] {
  if (state !== 'CONTAINER_EXITED') return [`has ended, but is ${state}`];
  if (endings.includes(exitCode)) return [];
  const allowed = [...(stopped ? [KILLED, 128 + 15] : []), ...(shimKilled ? [UNKNOWN, KILLED, 128 + 13] : []), ...(startFailed ? [UNKNOWN, KILLED] : []), ...(startFailed && starts.length === 0 ? [RUNTIME_GAVE_UP] : [])];
  if (allowed.includes(exitCode)) return [];
  return [`exit code ${exitCode}, its own books say ${endings.join() || 'no end'}`];
}

/** Each line once and in order; a line is written before it is noted, so that there may be one more than in the books. */
function lineFaults(id: string, books: Books, log: Log, { shimKilled }: Suffered): string[] {
  const faults: string[] = log.malformed.map((line) => `malformed log record ${JSON.stringify(line)}`);
  const wrong = log.texts.findIndex((text, at) => text !== `${id} ${at + 1}`);
  if (wrong >= 0) faults.push(`line ${wrong + 1} of its log is ${JSON.stringify(log.texts[wrong])}`);
  const count = log.texts.length;
  if (count > books.lines + 1) faults.push(`${count} lines in its log, ${books.lines} written`);
  if (shimKilled) return faults;
  if (count < books.lines) faults.push(`${books.lines - count} of ${books.lines} lines are not in its log`);
  if (log.torn) faults.push('its log ends in the middle of a record');
  return faults;
}

/** The lines of a text that have come to their end. */
function whole(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

