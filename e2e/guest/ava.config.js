/** The stories as they run in the guest: its own, which want systemd and cgroup version 2, and any other by name. */
export default {
  extensions: ['ts'],
  files: ['e2e/**/*.story.ts'],
  cache: false,
  serial: true,
  concurrency: 1,
  timeout: '5m',
};
