import { busybox } from '../harness/pod.ts';

/** A pod's manifest, as far as these stories write one. */
export type StaticPod = { readonly metadata: { readonly name: string }; readonly [field: string]: unknown };

/** What the kubelet tells of a pod, as far as these stories look. */
export type Pod = {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly conditions: readonly { type: string; status: string }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
};
export type ContainerStatus = {
  readonly name: string;
  readonly containerID?: string;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly state: { waiting?: { reason: string; message?: string }; running?: object; terminated?: Terminated };
  readonly lastState: { terminated?: Terminated };
};
type Terminated = { exitCode: number; reason: string; message?: string };

/** More than a probe needs on a machine that has much else to do. */
const timeoutSeconds = 20;

/** A web server and a worker that writes its page: probes by HTTP and by exec, a shared volume, limits. */
export const web = pod('web', {
  volumes: [{ name: 'pages', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
  containers: [
    container('server', 'exec httpd -f -v -p 8080 -h /pages', {
      ports: [{ containerPort: 8080 }],
      volumeMounts: [{ name: 'pages', mountPath: '/pages', readOnly: true }],
      startupProbe: { httpGet: { path: '/index.html', port: 8080 }, periodSeconds: 1, timeoutSeconds, failureThreshold: 30 },
      readinessProbe: { httpGet: { path: '/index.html', port: 8080 }, periodSeconds: 1, timeoutSeconds },
      livenessProbe: { httpGet: { path: '/index.html', port: 8080 }, periodSeconds: 1, timeoutSeconds, failureThreshold: 3 },
      resources: { requests: { cpu: '50m', memory: '16Mi' }, limits: { cpu: '500m', memory: '32Mi' } },
    }),
    container('worker', 'echo "worker of $POD at $IP"; echo hello > /pages/index.html; while true; do echo tick; sleep 1; done', {
      env: [
        { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      ],
      volumeMounts: [{ name: 'pages', mountPath: '/pages' }],
      readinessProbe: { exec: { command: ['test', '-s', '/pages/index.html'] }, periodSeconds: 1, timeoutSeconds },
      livenessProbe: { exec: { command: ['pgrep', '-f', 'echo tick'] }, periodSeconds: 2, timeoutSeconds, failureThreshold: 3 },
    }),
  ],
});

/** Ends with code 3 and last words, again and again. */
export const crashing = pod('crashing', {
  containers: [container('crash', 'echo started; echo out of luck > /dev/termination-log; exit 3')],
});

function pod(name: string, spec: { containers: readonly object[]; [field: string]: unknown }): StaticPod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'story', labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 1,
      automountServiceAccountToken: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      ...spec,
    },
  } as unknown as StaticPod;
}

function container(name: string, script: string, more: object = {}): object {
  return { name, image: busybox, imagePullPolicy: 'IfNotPresent', command: ['sh', '-c', script], ...more };
}
