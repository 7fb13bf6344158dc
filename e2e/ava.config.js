/** The stories: each file starts daemons of its own, so they run one after the other. Those with a kubelet run apart. */
export default {
  extensions: ['ts'],
  files: ['e2e/*.story.ts', 'e2e/**/*.test.ts'],
  serial: true,
  concurrency: 1,
  timeout: '5m',
};
