import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { asRuntimeError, isKind } from '../api/errors.ts';
import type { Log } from '../api/observe.ts';
import { takeHandedSocket } from '../host/handed-socket.ts';
import { startedAs } from '../host/notify.ts';
import { keepInodes } from '../host/room.ts';
import { openEvents } from '../observe/events.ts';
import { serveObservation } from '../observe/http.ts';
import { hideUserInfo, openLog } from '../observe/log.ts';
import { type Metrics, openMetrics } from '../observe/metrics.ts';
import { publishToNats } from '../observe/nats.ts';
import { backgroundOutput } from '../observe/output.ts';
import { checkOffline } from './check-offline.ts';
import { serveCadvisor } from './cadvisor/socket.ts';
import { type Config, readCommand } from './config.ts';
import { containerFilesystem } from './container-filesystem.ts';
import { containerHandlers } from './container.ts';
import { containerEvents } from './container-events.ts';
import type { Platform } from '../image/manifest/manifest.ts';
import { parsePlatform } from '../image/manifest/platform.ts';
import { controlHandlers } from './control.ts';
import { type Daemon, startDaemon } from './daemon.ts';
import { imageHandlers } from './image.ts';
import { shimState } from './info.ts';
import { metricHandlers } from './metrics.ts';
import { givesWay } from './give-way.ts';
import { helpText } from './options-pages.ts';
import { runtimeHandlers } from './runtime.ts';
import { sandboxHandlers } from './sandbox.ts';
import { startServer } from './server.ts';
import { writableLayers } from '../pod/stats/writable.ts';
import { statsHandlers } from './stats.ts';
import { type Streaming, type StreamingOptions, streamingServer } from './streaming/http.ts';
import { streamHandlers } from './streams.ts';
import { onceTakenUp } from './taken-up.ts';

/** How long calls in flight may go on when the daemon is told to end, in milliseconds. */
const CLOSE_GRACE_MS = 5_000;

/** How long the last lines of the log may take, in milliseconds. */
const LOG_GRACE_MS = 1_000;

process.title = 'berthd';
// Small code matters more here than fast code. On the command line these would make V8 refuse the caches of compiled code
// that Node brings for its own modules.
for (const flag of ['--optimize-for-size', '--no-sparkplug']) setFlagsFromString(flag);
await main();

async function main(): Promise<void> {
  try {
    const command = readCommand(process.argv.slice(2));
    if (command.do === 'help') process.stdout.write(helpText());
    else if (command.do === 'version') process.stdout.write(`berthd ${version()}\n`);
    else if (command.do === 'check') process.exitCode = await checkOffline(command.config, command.ask, (line) => process.stdout.write(`${line}\n`));
    else await run(command.config);
  } catch (error) {
    process.stderr.write(`berthd: ${asRuntimeError(error).message}\n`);
    process.exit(exitCodeOf(error));
  }
}

/** 2 when a check could not look; 78 (EX_CONFIG of sysexits(3)) when a newer release wrote what is there: a restart is of no use. */
function exitCodeOf(error: unknown): number {
  if (process.argv[2] === 'check') return 2;
  return isKind(error, 'newer-format') ? 78 : 1;
}

async function run(config: Config): Promise<void> {
  const handed = takeHandedSocket(process.env, process.pid);
  const metrics = openMetrics({ version: version() });
  const output = backgroundOutput({
    onDrop: () => metrics.count('log_lines_dropped'),
    onRoom: (lines) => log.warn('lines of this log are missing here: it was not read or could not be stored', { lines }),
  });
  const log = openLog({ level: config.logLevel, format: config.logFormat, stream: output.stream });
  const events = openEvents(log);
  const nats = config.natsUrl === '' ? null : publishToNats({ url: config.natsUrl, subscribe: events.subscribe, log, meter: metrics });
  let daemon: Daemon | undefined;
  const observation = await observe(config, metrics, log, () => illness(daemon));
  daemon = await startDaemon(config, { log, meter: metrics, publish: events.publish });
  const { context, takeUp, takenUp, close } = daemon;
  const service = startedAs(process.env, { pid: process.pid, engine: context.engine, log });
  const streaming = streamingServer(context, streamingOptions(config, log));
  countObjects(metrics, context, streaming);
  const happenings = containerEvents(context);
  const layers = writableLayers(context.engine, log);
  if (config.streamPort !== 0 || config.streamTlsCert !== '') await streaming.listen();
  const cadvisor = config.cadvisorSocket === '' ? null : await serveCadvisor(context, config.cadvisorSocket);
  mkdirSync(dirname(config.listen), { recursive: true, mode: 0o700 });
  const server = await startServer({
    listen: config.listen,
    handed,
    runtime: onceTakenUp({ store: context.store, takenUp }, {
      ...runtimeHandlers(context, version(), shown(config, context.runtimes.defaultName)),
      ...sandboxHandlers(context),
      ...containerHandlers(context),
      ...statsHandlers(context, layers),
      ...metricHandlers(context, layers),
      ...streamHandlers(context, streaming),
      ...happenings.handlers,
    }),
    image: imageHandlers(context.images, config.pinnedImages, { containers: containerFilesystem(context, layers), platformOf: (handler) => platformOf(config, handler || context.runtimes.defaultName) }),
    control: controlHandlers(context, config.pinnedImages, takenUp),
    log,
    called: givesWay({ layersInFlight: context.images.layersInFlight, giveWay: (ms) => context.engine.call('giveWay', { ms }), nowMs: () => performance.now() }),
    rpc: metrics.rpc,
    limit: metrics.limit,
  });
  keepInodes(config.state);
  void takeUp();
  log.info('berthd is ready', { listen: config.listen, version: version(), pid: process.pid, readyMs: Math.round(performance.now()) });

  const end = async (signal: string): Promise<void> => {
    log.info('berthd ends, pods go on', { signal });
    void service.stopping();
    await streaming.close();
    happenings.close();
    await server.close(CLOSE_GRACE_MS);
    await cadvisor?.close();
    await close();
    await Promise.all([nats?.close(), observation?.close()]);
    await output.flush(LOG_GRACE_MS);
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      end(signal).catch((error: unknown) => {
        log.error('berthd did not end in order', { error: asRuntimeError(error).message });
        process.exit(1);
      });
    });
  }
  await service.ready();
}

/** Of the configuration; warns of streams that anybody on the network can read. */
function streamingOptions(config: Config, log: Log): StreamingOptions {
  const { streamAddress: address, streamPort: port, streamIdleTimeout: idleMs } = config;
  if (config.streamTlsCert === '' && !/^(127\.|::1$|localhost$)/.test(address)) {
    log.warn('streams of exec, attach and port-forward pass the network in the clear: see --stream-tls-cert', { address });
  }
  const files = { cert: config.streamTlsCert, key: config.streamTlsKey, clientCa: config.streamTlsClientCa };
  return { address, port, limits: { idleMs }, ...(files.cert === '' ? {} : { certificate: files }) };
}

/** /metrics and /healthz; a default port that another daemon has is no reason not to start. */
async function observe(
  config: Config,
  metrics: Metrics,
  log: Log,
  unhealthy: () => string | undefined,
): Promise<{ close(): Promise<void> } | null> {
  if (config.metricsAddress === '') return null;
  try {
    return await serveObservation({ address: config.metricsAddress, render: metrics.render, unhealthy });
  } catch (error) {
    if (config.given.has('metricsAddress')) throw error;
    log.warn('no metrics are served', { error: asRuntimeError(error).message });
    return null;
  }
}

/** Why the daemon cannot serve pods just now; undefined when it can. */
function illness(daemon: Daemon | undefined): string | undefined {
  if (!daemon) return 'starting';
  return daemon.context.engine.away() ? 'the engine has ended, another is being started' : undefined;
}

/** Shows how many pods, containers, pulls and streams there are. */
function countObjects(metrics: Metrics, context: Daemon['context'], streaming: Streaming): void {
  const { engine, store, images } = context;
  const count = (all: Iterable<{ state: string }>, state: string): number => [...all].filter((one) => one.state === state).length;
  metrics.gauge('pods_ready', 'Pod sandboxes that are ready.', () => count(store.sandboxes.all(), 'ready'));
  metrics.gauge('containers_running', 'Containers whose process runs.', () => count(store.containers.all(), 'running'));
  metrics.gauge('engine_up', 'Whether an engine runs.', () => (engine.away() ? 0 : 1));
  metrics.gaugeBy('shims', 'Shims of pods: serving, foreign (of another protocol), awaited after a start, lost with their pod not removed yet.', 'state', () => {
    const states = { serving: 0, foreign: 0, awaited: 0, lost: 0 };
    for (const sandbox of store.sandboxes.all()) if (sandbox.state !== 'creating') states[shimState(context, sandbox)]++;
    return states;
  });
  metrics.gauge('image_pulls_in_flight', 'Pulls that fetch layers.', () => images.pulling('').length);
  metrics.gauge('image_layers_in_flight', 'Layers that are being fetched.', images.layersInFlight);
  metrics.gauge('stream_sessions_open', 'Clients of exec, attach and port-forward.', () => streaming.count().sessions);
  metrics.gauge('stream_urls_waiting', 'URLs of streams whose client has not come yet.', () => streaming.count().waiting);
}

/** What images a runtime handler wants; undefined for those of this machine. */
function platformOf({ runtimes }: Config, handler: string): Platform | undefined {
  const platform = runtimes[handler]?.platform ?? '';
  return platform === '' ? undefined : parsePlatform(platform);
}

/** What verbose Status shows of the configuration; `sandboxImage` is there for kubeadm, and empty: no image is a pod's. */
function shown(config: Config, defaultRuntime: string): object {
  const { given: _, ...values } = config;
  return { ...values, natsUrl: hideUserInfo(config.natsUrl), defaultRuntime, sandboxImage: '', stateDir: config.state, rootDir: config.root };
}

function version(): string {
  return (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }).version;
}
