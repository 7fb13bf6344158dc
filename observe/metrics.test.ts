import test from 'ava';
import { openMetrics } from './metrics.ts';

test('calls are counted by code and timed by method', async (t) => {
  const metrics = openMetrics({ version: '0.1.0' });
  metrics.rpc('RunPodSandbox', 'OK', 0.08);
  metrics.rpc('RunPodSandbox', 'NOT_FOUND', 0.001);
  const page = await metrics.render();
  t.true(page.includes('berth_rpc_total{method="RunPodSandbox",code="OK"} 1\n'));
  t.true(page.includes('berth_rpc_total{method="RunPodSandbox",code="NOT_FOUND"} 1\n'));
  t.true(page.includes('berth_rpc_duration_seconds_bucket{le="0.1",method="RunPodSandbox"} 2\n'));
  t.true(page.includes('berth_rpc_duration_seconds_bucket{le="0.05",method="RunPodSandbox"} 1\n'));
});

test('stages, counters and gauges are shown under their names', async (t) => {
  const metrics = openMetrics({ version: '0.1.0' });
  let pods = 1;
  metrics.gauge('pods', 'Pods.', () => pods);
  metrics.gaugeBy('shims', 'Shims.', 'state', () => ({ serving: pods, lost: 0 }));
  metrics.stage('run_pod', 'cni', 0.031);
  metrics.count('image_pull_bytes', 512);
  metrics.count('containers_oom');
  metrics.limit('maxSessions');
  pods = 3;
  const page = await metrics.render();
  t.true(page.includes('berth_stage_duration_seconds_sum{operation="run_pod",stage="cni"} 0.031\n'));
  t.true(page.includes('berth_image_pull_bytes_total 512\n'));
  t.true(page.includes('berth_containers_oom_total 1\n'));
  t.true(page.includes('berth_engine_restarts_total 0\n'));
  t.true(page.includes('berth_limit_hits_total{limit="maxSessions"} 1\n'));
  t.true(page.includes('berth_pods 3\n'));
  t.true(page.includes('berth_shims{state="serving"} 3\nberth_shims{state="lost"} 0\n'));
  t.true(page.includes('berth_build_info{version="0.1.0"} 1\n'));
});

test('the process and its event loop are measured at each look', async (t) => {
  const metrics = openMetrics({ version: '0.1.0' });
  await metrics.render();
  await new Promise((resolve) => setTimeout(resolve, 150));
  const until = Date.now() + 300;
  while (Date.now() < until);
  await new Promise((resolve) => setTimeout(resolve, 150));
  const page = await metrics.render();
  t.true(reading(page, 'process_resident_memory_bytes') > 1e6);
  t.true(reading(page, 'process_open_fds') > 3);
  t.true(reading(page, 'process_cpu_seconds_total') > 0);
  t.true(reading(page, 'berth_event_loop_delay_seconds{quantile="1"}') > 0.1);
});

function reading(page: string, name: string): number {
  return Number(page.split('\n').find((line) => line.startsWith(`${name} `))?.split(' ')[1]);
}
