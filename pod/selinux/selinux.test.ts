import test from 'ava';
import { containerConfig, podConfig, secured, securedPod } from '../spec/example.ts';
import { isConfined } from '../spec/selinux.ts';
import { freeLevel } from './categories.ts';
import { contextsFile, labelsIn } from './contexts.ts';
import { levelOf, podLabels, withOptions } from './label.ts';
import { treesToRelabel } from './relabel.ts';

const policy = {
  process: 'system_u:system_r:container_t:s0',
  file: 'system_u:object_r:container_file_t:s0',
  unconfined: 'system_u:system_r:spc_t:s0',
};
const options = (changes: object) => ({ user: '', role: '', type: '', level: '', ...changes });
const level = 's0:c1,c2';
const plain = podLabels(policy, null, level);

test('a pod that asks for nothing is labelled by the policy, with the level that it is given', (t) => {
  t.deepEqual(plain, { process: 'system_u:system_r:container_t:s0:c1,c2', mount: 'system_u:object_r:container_file_t:s0:c1,c2' });
  t.is(levelOf(plain.mount), level);
});

test('what is asked for takes the place of each part; mounts take user and level of it', (t) => {
  t.deepEqual(podLabels(policy, options({ level: 's0:c7,c9' }), level), {
    process: 'system_u:system_r:container_t:s0:c7,c9',
    mount: 'system_u:object_r:container_file_t:s0:c7,c9',
  });
  t.deepEqual(withOptions(plain, options({ user: 'u', role: 'r', type: 't' })), {
    process: 'u:r:t:s0:c1,c2',
    mount: 'u:object_r:container_file_t:s0:c1,c2',
  });
});

test('no part can bring others along or end the mount option that it is in', (t) => {
  for (const wrong of [{ user: 'a:b' }, { role: 'a b' }, { type: 't:s0' }, { level: 's0",rw' }, { level: 's0\n' }, { type: 't\0' }]) {
    t.throws(() => withOptions(plain, options(wrong)), { name: 'RuntimeError', message: /SELinux (user|role|type|level) .* is none/ });
  }
});

test('no level is given twice, in whichever order it was written', (t) => {
  const given = new Set<string>();
  const numbers = [5, 5, 5, 4, 4, 5, 3, 9];
  const random = () => numbers.shift() ?? 0;
  given.add(freeLevel([], random));
  t.deepEqual([...given], ['s0:c4,c5']);
  t.is(freeLevel(['s0:c5,c4'], random), 's0:c3,c9');
});

test('the last free pair is found, and after it there is none', (t) => {
  const all: string[] = [];
  for (let low = 0; low < 1024; low += 1) for (let high = low + 1; high < 1024; high += 1) all.push(`s0:c${low},c${high}`);
  const last = all.splice(300_000, 1);
  t.deepEqual([freeLevel(all, () => 1)], last);
  t.throws(() => freeLevel([...all, ...last], () => 1), { message: /every pair of SELinux categories/ });
});

test('privileged containers and those that share processes or ipc of the host are not confined, unless they ask for it', (t) => {
  const own = containerConfig();
  const shares = (changes: object) => securedPod({ namespace_options: { network: 'POD', pid: 'POD', ipc: 'POD', target_id: '', userns_options: null, ...changes } });
  t.true(isConfined(podConfig(), own, false));
  t.false(isConfined(podConfig(), secured({ privileged: true, selinux_options: options({ level }) }), false));
  t.false(isConfined(shares({ pid: 'NODE' }), own, true));
  t.false(isConfined(shares({ ipc: 'NODE' }), own, true));
  t.false(isConfined(shares({ network: 'NODE' }), own, false));
  t.true(isConfined(shares({ network: 'NODE' }), own, true));
  t.true(isConfined(shares({ pid: 'NODE' }), secured({ selinux_options: options({ type: 't' }) }), false));
});

test('labels come from the file of the policy that the machine uses, the usual ones for what it lacks', (t) => {
  t.is(contextsFile('# x\nSELINUX=permissive\nSELINUXTYPE=default\n'), '/etc/selinux/default/contexts/lxc_contexts');
  t.is(contextsFile(''), '/etc/selinux/targeted/contexts/lxc_contexts');
  t.deepEqual(labelsIn('process = "a:b:c:s0"\nro_file = "n"\nfile = "a:o:f:s0"\n'), { process: 'a:b:c:s0', file: 'a:o:f:s0' });
  t.deepEqual(labelsIn(''), { process: policy.process, file: policy.file });
});

test('volumes that ask for it are relabelled, but no directory of the system and nothing of the kernel', (t) => {
  const mount = (host_path: string, selinux_relabel = true) => ({
    container_path: '/m', host_path, selinux_relabel, readonly: false, propagation: 'PROPAGATION_PRIVATE' as const, uidMappings: [], gidMappings: [],
    recursive_read_only: false, image: null, image_sub_path: '', mount_options: [],
  });
  t.deepEqual(treesToRelabel([mount('/var/lib/kubelet/v/'), mount('/etc', false), mount('/etc/app')]), ['/var/lib/kubelet/v', '/etc/app']);
  for (const path of ['/', '/etc', '/usr/', '/var/lib/../lib', '/home', '/sys/fs', '/proc/1', '/dev/sda']) {
    t.throws(() => treesToRelabel([mount(path)]), { message: /^mount \/m: .* cannot be given the SELinux label/ }, path);
  }
});
