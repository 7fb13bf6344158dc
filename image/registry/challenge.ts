/** One challenge of a WWW-Authenticate header; the scheme and the names of parameters are in lower case. */
export type Challenge = { scheme: string; parameters: Record<string, string> };

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const parameter = new RegExp(`^\\s*(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))\\s*(?:,|$)`);
const scheme = new RegExp(`^[\\s,]*(${token})(?:\\s+|,|$)`);

/** Reads a WWW-Authenticate header of one or more challenges (RFC 9110, 11.6.1); stops at what it cannot read. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let rest = header;
  for (;;) {
    const start = scheme.exec(rest);
    if (start === null) return challenges;
    const challenge: Challenge = { scheme: (start[1] ?? '').toLowerCase(), parameters: {} };
    challenges.push(challenge);
    rest = rest.slice(start[0].length);
    for (let next = parameter.exec(rest); next !== null; next = parameter.exec(rest)) {
      const [whole, name = '', quoted, bare] = next;
      challenge.parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '';
      rest = rest.slice(whole.length);
    }
  }
}
