import test from 'ava';
import { CAPABILITIES, DEFAULT_CAPABILITIES } from './capabilities.ts';
import { plainHost, security } from './example.ts';
import type { OciSeccomp } from './oci.ts';
import { resolveProfile, seccomp } from './seccomp.ts';
import { defaultProfile } from './seccomp-default.ts';

const of = { capabilities: DEFAULT_CAPABILITIES, host: plainHost, profileText: null };
const wish = (profile_type: 'RuntimeDefault' | 'Unconfined' | 'Localhost', localhost_ref = '') =>
  security({ seccomp: { profile_type, localhost_ref } });

/** Whether some rule allows the call, whatever its arguments. */
const allows = (profile: OciSeccomp, call: string): boolean =>
  profile.syscalls.some(({ names, action }) => action === 'SCMP_ACT_ALLOW' && names.includes(call));

test('no wish, Unconfined and privileged mean no filter', (t) => {
  t.is(seccomp(null, of), null);
  t.is(seccomp(security(), of), null);
  t.is(seccomp(wish('Unconfined'), of), null);
  t.is(seccomp({ ...wish('RuntimeDefault'), privileged: true }, of), null);
  t.is(seccomp(security({ seccomp_profile_path: 'unconfined' }), of), null);
});

test("the default filter lets programs work and keeps the host's business from them", (t) => {
  const profile = seccomp(wish('RuntimeDefault'), of);
  if (profile === null) return t.fail();
  for (const call of ['read', 'execve', 'futex', 'clone', 'socket', 'personality', 'arch_prctl', 'epoll_pwait2'])
    t.true(allows(profile, call), call);
  for (const call of [
    'mount',
    'unshare',
    'setns',
    'bpf',
    'kexec_load',
    'init_module',
    'keyctl',
    'add_key',
    'userfaultfd',
    'io_uring_setup',
    'reboot',
    'swapon',
    'open_by_handle_at',
  ]) {
    t.false(allows(profile, call), call);
  }
  t.deepEqual(profile.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  t.deepEqual(
    profile.syscalls.find(({ names }) => names[0] === 'clone3'),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  );
  t.deepEqual(profile.syscalls.find(({ names }) => names[0] === 'clone')?.args?.[0]?.value, 0x7e020000);
});

test('a capability opens the calls that it is for', (t) => {
  const admin = resolveProfile(defaultProfile, { ...of, capabilities: ['CAP_SYS_ADMIN', 'CAP_SYS_CHROOT'] });
  for (const call of ['mount', 'setns', 'sethostname', 'clone3', 'chroot']) t.true(allows(admin, call), call);
  t.false(admin.syscalls.some(({ names, action }) => action === 'SCMP_ACT_ERRNO' && names.includes('clone3')));
});

test('no call is listed twice in one rule, and every name is one', (t) => {
  for (const { names } of resolveProfile(defaultProfile, { ...of, capabilities: CAPABILITIES }).syscalls) {
    t.is(new Set(names).size, names.length);
    t.true(names.every((name) => /^[a-z0-9_]+$/.test(name)));
  }
});

test("a Localhost profile is taken in OCI's form and in Docker's", (t) => {
  const text = JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    archMap: [
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
      { architecture: 'SCMP_ARCH_AARCH64' },
    ],
    syscalls: [
      { name: 'chmod', action: 'SCMP_ACT_ERRNO', args: [], comment: 'old form', includes: {}, excludes: {} },
      { names: ['bpf'], action: 'SCMP_ACT_ERRNO', excludes: { caps: ['CAP_KILL'] } },
      { names: ['ptrace'], action: 'SCMP_ACT_ERRNO', includes: { minKernel: '99.1' } },
      { names: ['acct'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, includes: { arches: ['arm64'] } },
    ],
  });
  t.deepEqual(seccomp(wish('Localhost', '/p.json'), { ...of, profileText: text }), {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
    syscalls: [{ names: ['chmod'], action: 'SCMP_ACT_ERRNO' }],
  });
  const oci =
    '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],' +
    '"syscalls":[{"names":["chmod"],"action":"SCMP_ACT_ERRNO"}]}';
  t.deepEqual(
    seccomp(security({ seccomp_profile_path: 'localhost//p.json' }), { ...of, profileText: oci }),
    JSON.parse(oci),
  );
});

test('a profile that is none, or a kernel without filters, is an error', (t) => {
  t.throws(() => seccomp(wish('Localhost', '/p.json'), { ...of, profileText: '{' }), {
    message: /\/p\.json is not JSON/,
  });
  t.throws(() => seccomp(wish('Localhost', '/p.json'), { ...of, profileText: 'null' }), {
    message: /no defaultAction/,
  });
  t.throws(() => seccomp(security({ seccomp_profile_path: 'what' }), of), { message: /none of runtime\/default/ });
  t.throws(() => seccomp(wish('RuntimeDefault'), { ...of, host: { ...plainHost, seccompSupported: false } }), {
    message: /no seccomp filters/,
  });
});
