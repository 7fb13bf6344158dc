/** The stories with a real kubelet, which `npm run e2e:kubelet` runs; each has a node of its own. */
export default {
  extensions: ['ts'],
  files: ['e2e/kubelet/*.story.ts'],
  serial: true,
  concurrency: 1,
  timeout: '5m',
};
