/** The value of a measurement without labels on the page of GET /metrics; 0 when it is not there. */
export async function counted(port: number, name: string): Promise<number> {
  const page = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(page)?.[1] ?? 0);
}
