/** True when `labels` has every key of `selector` with the same value. */
export function hasLabels(labels: Record<string, string>, selector: Record<string, string>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** True when `id` is meant by `asked`: the whole id, or its first digits; empty means any. */
export function hasId(id: string, asked: string): boolean {
  return asked === '' || id.startsWith(asked);
}
