//! Starts programs. The child shares the shim's memory until it executes (as posix_spawn does), so a start copies
//! no page tables and tells its errno by plain memory.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::thread::UnshareFlags;

/// One program to start, detached: a session of its own, default signals, nothing inherited but `stdio`.
pub struct Program<'a> {
    pub path: &'a CStr,
    pub argv: &'a [CString],
    pub stdio: [BorrowedFd<'a>; 3],
    /// Network namespace to enter first.
    pub network: Option<BorrowedFd<'a>>,
}

const STACK_BYTES: usize = 32 << 10;
const ENVIRONMENT: &CStr = c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

struct Child<'a> {
    program: &'a Program<'a>,
    argv: Vec<*const c_char>,
    environment: [*const c_char; 2],
    errno: c_int,
}

/// Starts the program and returns its pid once it executes; an error when it could not.
pub fn spawn(program: &Program) -> io::Result<i32> {
    let argv = program.argv.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    let mut child = Child { program, argv, environment: [ENVIRONMENT.as_ptr(), std::ptr::null()], errno: 0 };
    let stack = Stack::new()?;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: with CLONE_VFORK this thread sleeps until the child has executed or ended, so that stack and `child`
    // outlive its use of them; every signal is blocked, so no handler runs on the shared memory.
    let pid = unsafe { libc::clone(run, stack.top(), flags, (&raw mut child).cast::<c_void>()) };
    if pid == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the child wrote it before it ended; volatile, for the compiler cannot know that.
    match unsafe { (&raw const child.errno).read_volatile() } {
        0 => Ok(pid),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// The child's stack, a mapping of its own so that nothing of it stays.
struct Stack(*mut c_void);

impl Stack {
    fn new() -> io::Result<Self> {
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping at an address of the kernel's choice.
        match unsafe { libc::mmap(std::ptr::null_mut(), STACK_BYTES, access, kind, -1, 0) } {
            libc::MAP_FAILED => Err(io::Error::last_os_error()),
            bottom => Ok(Self(bottom)),
        }
    }

    /// Where a stack that grows downwards begins.
    fn top(&self) -> *mut c_void {
        self.0.wrapping_byte_add(STACK_BYTES)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new` with that length, and its child has executed or ended.
        unsafe { libc::munmap(self.0, STACK_BYTES) };
    }
}

/// Gives the calling thread, and what it starts, namespaces of their own; for network, ipc and uts.
pub fn unshare(namespaces: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: none of these namespaces shares descriptors or memory with anyone.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }
}

extern "C" fn run(child: *mut c_void) -> c_int {
    // SAFETY: `spawn` passes its own `Child`, which nobody else touches while this runs.
    let child = unsafe { &mut *child.cast::<Child>() };
    // SAFETY: system calls on values prepared by the parent; no allocation, no lock.
    unsafe {
        if prepare(child.program) {
            libc::execve(child.program.path.as_ptr(), child.argv.as_ptr(), child.environment.as_ptr());
        }
        child.errno = *libc::__errno_location();
        libc::_exit(127)
    }
}

/// SAFETY: only in the child of `spawn`.
unsafe fn prepare(program: &Program) -> bool {
    unsafe {
        libc::setsid();
        // What it runs is of no use to anyone else: a create that outlived its shim would leave a container behind.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::umask(0o022);
        if let Some(network) = program.network
            && libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET) != 0
        {
            return false;
        }
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        for (number, fd) in (0..).zip(program.stdio) {
            if libc::dup2(fd.as_raw_fd(), number) == -1 {
                return false;
            }
        }
        libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut()) == 0
    }
}
