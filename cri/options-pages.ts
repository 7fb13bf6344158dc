import { flagOf, nameOf, type Option, type OptionKey, optionList } from './options.ts';

type Listed = Option<unknown> & { key: OptionKey };

/** What `--help` prints. */
export function helpText(): string {
  const groups = grouped().map(([group, members]) => `${group}\n${members.map(helpOf).join('')}`);
  return `Usage: berthd [OPTION…]\n\nThe Berth container runtime for Kubernetes (CRI v1). Defaults are in brackets.\n\n${groups.join('\n')}
  --help                               Print this and end.
  --version                            Print the version and end.

Every option but --config is a key of the same name in the configuration file; the command line counts more.\n`;
}

/** The configuration file with every option commented out, as shipped in manifests/berth.toml. */
export function tomlTemplate(): string {
  const groups = grouped().map(([group, members]) => {
    const keys = members.filter((each) => each.flagOnly === undefined && each.key !== 'runtimes');
    return `# --- ${group} ---\n\n${keys.map(tomlOf).join('\n')}`;
  });
  return `# Configuration of berthd; a name that is not listed here is an error.
# Later counts: this file, berth.d/*.toml beside it by name, the command line.

${groups.join('\n')}
# --- More OCI runtimes, by the handler that a RuntimeClass names ---

# [runtimes.crun]
# path = "/usr/bin/crun"
# args = []
# privileged-without-host-devices = false
# sandbox = "none"
# platform = ""
`;
}

/** The docs page of all options. */
export function docsPage(): string {
  const groups = grouped().map(([group, members]) => `## ${group}\n\n| Option | Default | |\n|---|---|---|\n${members.map(rowOf).join('')}`);
  return `# Options of berthd

Each option is \`--NAME VALUE\` on the command line and the key \`NAME\` in the configuration file (TOML).
Later counts: default, \`/etc/berth/berth.toml\`, \`/etc/berth/berth.d/*.toml\` in the order of their names, command line.
Unknown names and invalid values are errors: the daemon does not start. Programs for further RuntimeClass handlers are
tables in the file, \`[runtimes.NAME]\` with \`path\`, \`args\` and
\`privileged-without-host-devices\` (privileged containers then get only the devices they ask for), and with
\`sandbox = "process"\` for runtimes that run a pod's containers inside one sandbox process (gVisor, Kata by command line). A \`platform\` such as
\`linux/arm64\` makes PullImage with that runtime handler choose images for it instead of this machine's. \`--help\` prints this list, \`--version\` the version.

${groups.join('\n')}`;
}

function grouped(): [string, Listed[]][] {
  return [...Map.groupBy(optionList, (each) => each.group)];
}

function helpOf(each: Listed): string {
  const left = `  --${flagOf(each)} ${each.kind.placeholder}`;
  const right = wrap(`${each.help} [${fallbackOf(each)}]`, 80);
  return right.map((line, index) => `${(index === 0 ? left : '').padEnd(38)} ${line}\n`).join('');
}

function tomlOf(each: Listed): string {
  const comment = wrap(each.help, 100).map((line) => `# ${line}\n`).join('');
  const words = each.automatic === undefined ? '' : `# Default: ${each.automatic.text}.\n`;
  const value = each.automatic === undefined ? each.fallback() : each.automatic.sample;
  return `${comment}${words}# ${nameOf(each.key)} = ${each.kind.toToml(value)}\n`;
}

function rowOf(each: Listed): string {
  const flag = `\`--${flagOf(each)} ${each.kind.placeholder.replaceAll('|', '\\|')}\``;
  return `| ${flag} | ${each.automatic?.text ?? `\`${fallbackOf(each)}\``} | ${each.help} |\n`;
}

function fallbackOf(each: Listed): string {
  return each.automatic?.text ?? (each.kind.toText(each.fallback()) || 'none');
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
