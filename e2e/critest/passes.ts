import { availableParallelism } from 'node:os';

/** One way of running the suite: what is done differently, and the options of critest for it. */
export type Pass = { readonly about: string; readonly args: readonly string[] };

const randomly = '--ginkgo.randomize-all';
const atOnce = Math.max(2, availableParallelism());

/** All ways, by name; `npm run critest` takes each in turn. */
export const passes: Readonly<Record<string, Pass>> = {
  spdy: { about: 'streams over SPDY', args: [randomly] },
  websocket: {
    about: 'streams over WebSocket',
    args: [randomly, '-websocket-exec', '-websocket-attach', '-websocket-portforward'],
  },
  parallel: { about: `${atOnce} specs at a time`, args: [randomly, `-parallel=${atOnce}`] },
};
