//! The birth of a shim: a double fork, so that it belongs to PID 1, into its cgroup, ending in exec.
//! Other threads run meanwhile, so between fork and exec nothing may allocate or lock (signal-safety(7)).
#![allow(unsafe_code)]

use super::cgroup::Entrance;
use crate::used_up::is_used_up;
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Where the shim finds its pod, and where it says that it is ready.
const POD: RawFd = 3;
const READY: RawFd = 4;
/// A flag of clone3(2) that the libc crate has in too narrow a type.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// What a shim is started with. `ready` is told the new process id in decimal and a line feed, then whatever the shim
/// writes; a failed step before exec is told in the shim's stead.
pub struct Launch<'a> {
    pub exe: &'a CStr,
    pub pod: BorrowedFd<'a>,
    pub ready: BorrowedFd<'a>,
    pub entrance: &'a Entrance,
}

/// All that the children need, made before the fork.
struct Plan<'a> {
    exe: &'a CStr,
    argv: [*const libc::c_char; 3],
    envp: [*const libc::c_char; 2],
    pod: OwnedFd,
    ready: OwnedFd,
    null: OwnedFd,
    entrance: &'a Entrance,
}

/// Starts the shim and returns as soon as it is a child of PID 1; how it went is told on `ready`.
pub fn launch(launch: &Launch) -> io::Result<()> {
    let path = CString::new(format!("PATH={}", std::env::var("PATH").unwrap_or_default()))?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let plan = Plan {
        exe: launch.exe,
        argv: [c"berth-shim".as_ptr(), c"shim".as_ptr(), std::ptr::null()],
        envp: [path.as_ptr(), std::ptr::null()],
        pod: out_of_the_way(launch.pod)?,
        ready: out_of_the_way(launch.ready)?,
        null: out_of_the_way(null.as_fd())?,
        entrance: launch.entrance,
    };
    // SAFETY: without CLONE_VM this is a fork: the child has a copy of this thread alone and goes on in `middle`,
    // which is safe after a fork of a process with threads and does not return.
    let middle_pid = match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
        -1 => return Err(io::Error::last_os_error()),
        0 => middle(&plan),
        pid => pid as libc::pid_t,
    };
    // SAFETY: the child is ours, nobody else waits for it, and a null status is allowed.
    while unsafe { libc::waitpid(middle_pid, std::ptr::null_mut(), 0) } < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(())
}

/// A copy with a number that none of the shim's descriptors has.
fn out_of_the_way(fd: BorrowedFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, READY + 1)?)
}

/// The child in between: leaves berthd's session, starts the shim and ends, so that PID 1 becomes its parent.
fn middle(plan: &Plan) -> ! {
    // SAFETY: setsid and _exit are async-signal-safe.
    unsafe {
        libc::setsid();
        let status = match fork_into(plan.entrance.unified.as_ref()) {
            Fork::Child { entered } => shim(plan, entered),
            Fork::Parent => 0,
            Fork::Failed => fail(plan, b"fork"),
        };
        libc::_exit(status)
    }
}

enum Fork {
    Child { entered: bool },
    Parent,
    Failed,
}

/// A fork whose child starts in the cgroup of version 2, where the kernel can do that.
fn fork_into(unified: Option<&OwnedFd>) -> Fork {
    if let Some(dir) = unified {
        // SAFETY: zeroes are valid in every field of clone_args.
        let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
        args.flags = CLONE_INTO_CGROUP;
        args.exit_signal = libc::SIGCHLD as u64;
        args.cgroup = dir.as_raw_fd() as u64;
        // SAFETY: as in `launch`; the arguments outlive the call.
        match unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<libc::clone_args>()) } {
            -1 => {}
            0 => return Fork::Child { entered: true },
            _ => return Fork::Parent,
        }
    }
    // SAFETY: as in `launch`.
    match unsafe { libc::syscall(libc::SYS_clone, libc::SIGCHLD, 0, 0, 0, 0) } {
        -1 => Fork::Failed,
        0 => Fork::Child { entered: false },
        _ => Fork::Parent,
    }
}

/// The process that becomes the shim.
fn shim(plan: &Plan, entered: bool) -> ! {
    // SAFETY: only async-signal-safe functions on descriptors and strings of `plan`, which this copy owns.
    unsafe {
        tell_pid(plan);
        if !entered {
            for join in &plan.entrance.joins {
                if libc::write(join.as_raw_fd(), c"0".as_ptr().cast(), 1) != 1 {
                    libc::_exit(fail(plan, b"enter its cgroup"));
                }
            }
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        for (from, to) in [(&plan.null, 0), (&plan.null, 1), (&plan.null, 2), (&plan.pod, POD)] {
            if libc::dup2(from.as_raw_fd(), to) < 0 {
                libc::_exit(fail(plan, b"set up its descriptors"));
            }
        }
        if libc::dup2(plan.ready.as_raw_fd(), READY) < 0 || libc::chdir(c"/".as_ptr()) < 0 {
            libc::_exit(fail(plan, b"set up its descriptors"));
        }
        // All others close on exec.
        libc::execve(plan.exe.as_ptr(), plan.argv.as_ptr(), plan.envp.as_ptr());
        libc::_exit(fail(plan, b"execute its program"))
    }
}

fn tell_pid(plan: &Plan) {
    // SAFETY: getpid never fails.
    let mut line = Line::new();
    line.number(unsafe { libc::getpid() });
    line.text(b"\n");
    line.send(plan);
}

/// Tells the failed step with its error number on `ready`; gives the exit status.
fn fail(plan: &Plan, step: &[u8]) -> i32 {
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    let mut line = Line::new();
    line.text(br#"{"error":{"kind":""#);
    line.text(if is_used_up(Errno::from_raw_os_error(errno)) { b"exhausted" } else { b"internal" });
    line.text(br#"","message":"the new shim could not "#);
    line.text(step);
    line.text(b", error ");
    line.number(errno);
    line.text(b"\"}}\n");
    line.send(plan);
    1
}

/// A short line put together without allocating.
struct Line {
    bytes: [u8; 192],
    length: usize,
}

impl Line {
    fn new() -> Self {
        Self { bytes: [0; 192], length: 0 }
    }

    fn text(&mut self, text: &[u8]) {
        for &byte in text.iter().take(self.bytes.len() - self.length) {
            self.bytes[self.length] = byte;
            self.length += 1;
        }
    }

    fn number(&mut self, value: i32) {
        let mut digits = [0; 10];
        let mut at = digits.len();
        let mut rest = value.unsigned_abs();
        while at > 0 && (rest > 0 || at == digits.len()) {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        self.text(&digits[at..]);
    }

    fn send(&self, plan: &Plan) {
        // SAFETY: write is async-signal-safe; the bytes are ours.
        unsafe { libc::write(plan.ready.as_raw_fd(), self.bytes.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_spells_numbers_without_allocating() {
        let mut line = Line::new();
        for number in [0, 7, 10, i32::MAX] {
            line.number(number);
            line.text(b" ");
        }
        assert_eq!(&line.bytes[..line.length], b"0 7 10 2147483647 ");
    }
}
