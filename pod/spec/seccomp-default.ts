import type { SeccompProfile, SeccompRule } from './seccomp.ts';

/**
 * The RuntimeDefault seccomp profile: an allow-list, with EPERM for the rest. It behaves as those of Docker, containerd
 * and CRI-O do: calls that only root of the host should make need the capability that the kernel asks for as well.
 * Names of other architectures are harmless: the OCI runtime passes over what the kernel does not know.
 */
const names = (text: string): string[] => text.trim().split(/\s+/);

const files = names(`
  access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
  fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync
  fgetxattr file_getattr file_setattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs
  fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch
  inotify_init inotify_init1 inotify_rm_watch fanotify_mark ioctl lchown lchown32 lgetxattr link linkat listxattr
  listxattrat listmount statmount llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod
  mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readdir
  readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr
  setxattrat splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate
  truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev name_to_handle_at
  cachestat`);

const processes = names(`
  alarm capget capset execve execveat exit exit_group fork getegid getegid32 geteuid geteuid32 getgid getgid32
  getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32
  getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill pause pidfd_open pidfd_send_signal
  prctl prlimit64 process_mrelease restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
  rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo setfsgid setfsgid32 setfsuid
  setfsuid32 setgid setgid32 setgroups setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32
  setresuid setresuid32 setreuid setreuid32 setrlimit setsid setuid setuid32 sigaltstack signal sigaction sigpending
  sigprocmask sigreturn sigsuspend tgkill times tkill ugetrlimit uname vfork wait4 waitid waitpid`);

const scheduling = names(`
  getcpu sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
  sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam
  sched_setscheduler sched_yield`);

const threads = names(`
  futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake get_robust_list get_thread_area membarrier
  set_robust_list set_thread_area set_tid_address`);

const memory = names(`
  brk madvise map_shadow_stack memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap
  mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages`);

const sockets = names(`
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
  send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair`);

const waiting = names(`
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
  eventfd2 io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect pipe
  pipe2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4`);

const ipc = names(`
  ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64
  mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`);

const time = names(`
  adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
  timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
  timerfd_gettime64 timerfd_settime timerfd_settime64`);

const rest = names(`
  getrandom landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules
  lsm_set_self_attr riscv_hwprobe seccomp sysinfo uretprobe`);

const namespaces = names(`
  clone3 fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree pivot_root setdomainname sethostname
  setns umount umount2 unshare`);

const administration = names('bpf fanotify_init lookup_dcookie open_tree_attr perf_event_open quotactl quotactl_fd');

/** Bits of clone(2) that make a namespace: mount, cgroup, uts, ipc, user, pid, net. */
const CLONE_NAMESPACES = 0x7e02_0000;

const EPERM = 1;
const ENOSYS = 38;

/** AF_VSOCK reaches the hypervisor past every network policy; AF_ALG is a rich source of kernel faults. */
const AF_ALG = 38;
const AF_VSOCK = 40;

/** Personalities that change neither address layout nor access: Linux, PER_LINUX32, with UNAME26, and the query. */
const PERSONALITIES = [0x0, 0x0008, 0x20000, 0x20008, 0xffff_ffff];

export const defaultProfile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
    { architecture: 'SCMP_ARCH_S390X', subArchitectures: ['SCMP_ARCH_S390'] },
    { architecture: 'SCMP_ARCH_RISCV64', subArchitectures: [] },
    { architecture: 'SCMP_ARCH_PPC64LE', subArchitectures: [] },
  ],
  syscalls: [
    allow([
      ...files,
      ...processes,
      ...scheduling,
      ...threads,
      ...memory,
      ...sockets,
      ...waiting,
      ...ipc,
      ...time,
      ...rest,
    ]),
    ...PERSONALITIES.map((value) => ({ ...allow(['personality']), args: [{ index: 0, value, op: 'SCMP_CMP_EQ' }] })),
    { ...allow(['socket']), args: [{ index: 0, value: AF_ALG, op: 'SCMP_CMP_LT' }] },
    { ...allow(['socket']), args: [{ index: 0, value: AF_ALG + 1, op: 'SCMP_CMP_EQ' }] },
    { ...allow(['socket']), args: [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_GT' }] },
    { ...allow(names('process_vm_readv process_vm_writev ptrace')), includes: { minKernel: '4.8' } },
    {
      ...allow(['clone']),
      args: [{ index: 0, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390', 's390x'] },
    },
    {
      ...allow(['clone']),
      args: [{ index: 1, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
      includes: { arches: ['s390', 's390x'] },
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    },
    /** The filter cannot read clone3's flags behind the pointer; on ENOSYS the C libraries fall back to clone. */
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, excludes: { caps: ['CAP_SYS_ADMIN'] } },
    withCapability('CAP_SYS_ADMIN', ['clone', ...namespaces, ...administration]),
    withCapability('CAP_DAC_READ_SEARCH', ['open_by_handle_at']),
    withCapability('CAP_SYS_BOOT', ['reboot']),
    withCapability('CAP_SYS_CHROOT', ['chroot']),
    withCapability('CAP_SYS_MODULE', names('delete_module finit_module init_module query_module')),
    withCapability('CAP_SYS_PACCT', ['acct']),
    withCapability(
      'CAP_SYS_PTRACE',
      names('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace'),
    ),
    withCapability('CAP_SYS_RAWIO', names('ioperm iopl')),
    withCapability('CAP_SYS_TIME', names('clock_settime clock_settime64 settimeofday stime')),
    withCapability('CAP_SYS_TTY_CONFIG', ['vhangup']),
    withCapability('CAP_SYS_NICE', names('get_mempolicy mbind set_mempolicy set_mempolicy_home_node')),
    withCapability('CAP_SYSLOG', ['syslog']),
    withCapability('CAP_BPF', ['bpf']),
    withCapability('CAP_PERFMON', ['perf_event_open']),
    onArches(['amd64', 'x32'], ['arch_prctl']),
    onArches(['amd64', 'x32', 'x86'], ['modify_ldt']),
    onArches(
      ['arm', 'arm64'],
      names('arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2'),
    ),
    onArches(['ppc64le'], names('sync_file_range2 swapcontext')),
    onArches(['riscv64'], ['riscv_flush_icache']),
    onArches(['s390', 's390x'], names('s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr')),
  ],
};

function allow(syscalls: string[]): { names: string[]; action: string } {
  return { names: syscalls, action: 'SCMP_ACT_ALLOW' };
}

function withCapability(capability: string, syscalls: string[]): SeccompRule {
  return { ...allow(syscalls), includes: { caps: [capability] } };
}

function onArches(arches: string[], syscalls: string[]): SeccompRule {
  return { ...allow(syscalls), includes: { arches } };
}
