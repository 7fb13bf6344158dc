/**
 * What this kubelet logs at error level on containerd 2.3.4 as well, on the machine that the stories were made on; each
 * with its reason, none of which is the runtime.
 */
const shared: readonly { readonly text: RegExp; readonly reason: string }[] = [
  { text: /Failed to set rlimit on max file handles|failed to find pid namespace of init process/, reason: 'the machine lacks CAP_SYS_RESOURCE and a PID file of init' },
  { text: /Skipping pod synchronization|Failed to read data from checkpoint|invalid capacity 0 on image filesystem/, reason: 'a kubelet that has just started' },
  { text: /Failed to watch directory "\/sys\/fs\/cgroup\/.*no such file or directory/, reason: 'a cgroup, of whomever, that went while cAdvisor began to watch it' },
  { text: /cannot find filesystem info for device/, reason: 'cAdvisor does not know the root device of a virtual machine' },
  { text: /failed to check if node is newer; using informer node/, reason: 'there is no API server' },
  { text: /Error syncing pod.* with CrashLoopBackOff: .*container=crash /, reason: 'the story wants it to crash' },
  { text: /Error on socket receive.*use of closed network connection/, reason: "the story's WebSocket is closed" },
  { text: /code = Unavailable|dial unix/, reason: 'the daemon is away for a while' },
  { text: /"ContainerStatus from runtime service failed" err="rpc error: code = NotFound/, reason: 'a container that was removed between list and status' },
  { text: /Failed to create existing container: .* status 404|Image garbage collection failed once.*NotFound/, reason: 'a container that was removed while a new kubelet looked around' },
  { text: /from runtime service failed" err="rpc error: code = Canceled/, reason: 'the pod ends while it is probed' },
];

/** Lines at error level (klog's `E`) for which no reason is known. */
export function unexplained(log: string): string[] {
  return log.split('\n').filter((line) => /^E\d{4} /.test(line) && !shared.some(({ text }) => text.test(line)));
}
