import { constants } from 'node:os';
import type { Signal } from '../../api/cri.ts';
import { RuntimeError } from '../../api/errors.ts';

/** Default stop signal, as everywhere: SIGTERM. */
const SIGTERM = 15;

/** First and last realtime signal that programs may use (signal(7), glibc). */
const RTMIN = 34;
const RTMAX = 64;

/** The stop signal's number: the container's own (CRI Signal) wins over the image's STOPSIGNAL. Throws `invalid`. */
export function stopSignalNumber(asked: string, ofImage: string): number {
  if (asked !== '' && asked !== 'SIGNAL_RUNTIME_DEFAULT') return signalNumber(criName(asked));
  return ofImage === '' ? SIGTERM : signalNumber(ofImage);
}

/** `SIGNAL_SIGRTMINPLUS3` → `SIGRTMIN+3`. */
function criName(name: string): string {
  return name.replace(/^SIGNAL_/, '').replace(/PLUS(\d+)$/, '+$1').replace(/MINUS(\d+)$/, '-$1');
}

/** Other names for numbers that have one. */
const ALIASES = new Set(['SIGIOT', 'SIGPOLL', 'SIGCLD', 'SIGUNUSED']);

/** The CRI's name of a signal (CRI Signal), e.g. `SIGNAL_SIGTERM`. */
export function signalName(number: number): Signal {
  const [above, below] = [number - RTMIN, RTMAX - number];
  if (above === 0) return 'SIGNAL_SIGRTMIN';
  if (below === 0) return 'SIGNAL_SIGRTMAX';
  if (above > 0) return (above <= 15 ? `SIGNAL_SIGRTMINPLUS${above}` : `SIGNAL_SIGRTMAXMINUS${below}`) as Signal;
  const known = Object.entries(constants.signals).find(([name, value]) => value === number && !ALIASES.has(name));
  return known ? (`SIGNAL_${known[0]}` as Signal) : 'SIGNAL_RUNTIME_DEFAULT';
}

/** A signal given as number, `SIGTERM`, `TERM`, `SIGRTMIN+3` or `RTMAX-1`. Throws `invalid`. */
export function signalNumber(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= RTMAX) return number;
  const name = text.toUpperCase().replace(/^SIG/, '');
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime) {
    const value = (realtime[1] === 'MIN' ? RTMIN : RTMAX) + Number(`${realtime[2] ?? '+'}${realtime[3] ?? 0}`);
    if (value >= RTMIN && value <= RTMAX) return value;
  }
  const aliases: Record<string, string> = { CLD: 'CHLD' };
  const known = (constants.signals as Record<string, number>)[`SIG${aliases[name] ?? name}`];
  if (known === undefined) throw new RuntimeError('invalid', `stop signal ${text} is not known: a name such as SIGTERM or a number up to ${RTMAX}`);
  return known;
}
