import { commonOptions } from './command-line.ts';
import type { Verb, VerbOptions } from './verb.ts';

/** What `berth --help` prints. */
export function helpText(verbs: Readonly<Record<string, Verb>>): string {
  const lines = Object.entries(verbs).map(([name, { args, summary }]) => entry(`${name} ${args.usage}`, summary));
  return `Usage: berth [--socket PATH] VERB [OPTION…] [ARGUMENT…]

Asks a running berthd. 'berth VERB --help' says more of a verb.

${lines.join('')}
${optionsText(commonOptions)}
${exitCodes}`;
}

/** What `berth VERB --help` prints. */
export function verbHelp(name: string, { args, summary, options }: Verb): string {
  return `Usage: berth ${[name, '[OPTION…]', args.usage].join(' ').trimEnd()}\n\n${summary}\n\n${optionsText({ ...options, ...commonOptions })}`;
}

const exitCodes = `Exit codes: 0 done; 1 the daemon refused or failed; 2 the command line is wrong; 3 no daemon answers.
`;

function optionsText(options: VerbOptions): string {
  return Object.entries(options)
    .map(([name, { short, placeholder, help }]) => {
      const dashed = `${short === undefined ? '' : `-${short}, `}--${name}`;
      return entry(placeholder === undefined ? dashed : `${dashed} ${placeholder}`, help);
    })
    .join('');
}

function entry(left: string, right: string): string {
  return `  ${left.trimEnd().padEnd(30)} ${right}\n`;
}
