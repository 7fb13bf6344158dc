/** What is held by name, each name any number of times. */
export type Claims = {
  /** Holds all of these until the result is called; a second call of that does nothing. */
  take(names: readonly string[]): () => void;
  has(name: string): boolean;
};

/** Nothing is held. */
export function createClaims(): Claims {
  const counts = new Map<string, number>();
  const release = (name: string): void => {
    const left = (counts.get(name) ?? 0) - 1;
    if (left > 0) counts.set(name, left);
    else counts.delete(name);
  };
  return {
    take(names) {
      for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
      let held = true;
      return () => {
        if (held) names.forEach(release);
        held = false;
      };
    },
    has: (name) => counts.has(name),
  };
}
