/** Rows as lines of text with their columns under each other, the first row being the headline. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('   ').trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}
