/**
 * What this kubelet logs at error level on containerd 2.3.4 as well, on the machine that the stories were made on; each
 * with its reason, none of which is the runtime.
 */
const shared: readonly { readonly text: RegExp; readonly reason: string }[] = [
];

/** Lines at error level (klog's `E`) for which no reason is known. */
export function unexplained(log: string): string[] {
  return log.split('\n').filter((line) => /^E\d{4} /.test(line) && !shared.some(({ text }) => text.test(line)));
}
