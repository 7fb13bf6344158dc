//! `berth-native pause`: PID 1 of a pod with a shared pid namespace. It reaps what is orphaned there and ends on
//! SIGTERM or SIGINT, or with its shim.
//!
//! Every container of the pod sees it in `/proc/1`, so there must be nothing to gain from it: its root is an empty
//! file system of its own, its program a read-only mount, and it has no capabilities.
#![allow(unsafe_code)]

use crate::mount_setattr;
use crate::selinux::{and_context, label_next_program};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount, unmount,
};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, unshare_unsafe};
use std::ffi::{CStr, CString};
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::process::ExitCode;

/// What it says on stdout once it is locked in; anything else is why it cannot be.
pub const LOCKED_IN: &str = "locked in";

/// A directory that every host has, for the file system that becomes its root.
const STAGE: &CStr = c"/sys";
const PROGRAM: &CStr = c"/sys/pause";

/// Runs until it is told to end. Started twice: on the host, with the pod's user namespace (or anything else) as its
/// stdin (`pause outside PROCESS-LABEL MOUNT-LABEL`), and by that again as PID 1 (`pause inside`). As an OCI runtime's sandbox container (`pause sandbox`) it is
/// locked in already.
pub fn main() -> ExitCode {
    let _ = rustix::thread::set_name(c"berth-pause");
    let mut words = std::env::args().skip(2);
    let how = words.next();
    if how.as_deref() == Some("sandbox") {
        return reap_until_told();
    }
    let inside = how.as_deref() == Some("inside");
    match if inside { settle() } else { start(&words.next().unwrap_or_default(), &words.next().unwrap_or_default()) } {
        Ok(()) if inside => reap_until_told(),
        Ok(()) => ExitCode::SUCCESS,
        Err((doing, error)) => {
            println!("{doing}: {error}");
            ExitCode::FAILURE
        }
    }
}

type Outcome = Result<(), (&'static str, Errno)>;

fn doing(what: &'static str) -> impl Fn(Errno) -> (&'static str, Errno) {
    move |error| (what, error)
}

fn start(process_label: &str, mount_label: &str) -> Outcome {
    label_next_program(process_label)
        .map_err(|error| ("set its SELinux label", Errno::from_io_error(&error).unwrap_or(Errno::INVAL)))?;
    move_out(mount_label)?;
    beget()
}

/// Leaves the host's file systems for an empty one that holds nothing but its own program. Done with the host's powers,
/// so that the root of a user namespace has none over it.
fn move_out(label: &str) -> Outcome {
    let program = rustix::fs::readlink(c"/proc/self/exe", Vec::new()).map_err(doing("find its program"))?;
    // SAFETY: descriptors and memory stay as they are.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.map_err(doing("unshare mounts"))?;
    mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)
        .map_err(doing("make mounts private"))?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = format!("size=16k,nr_inodes=4,mode=755{}", and_context(label));
    let options = CString::new(options).map_err(|_| ("mount a tmpfs", Errno::INVAL))?;
    mount(c"berth-pause", STAGE, c"tmpfs", flags, options.as_c_str()).map_err(doing("mount a tmpfs"))?;
    let empty = OFlags::CREATE | OFlags::WRONLY | OFlags::CLOEXEC;
    rustix::fs::open(PROGRAM, empty, Mode::from_raw_mode(0o500)).map_err(doing("make a file"))?;
    mount_bind(&*program, PROGRAM).map_err(doing("mount its program"))?;
    read_only(PROGRAM).map_err(doing("make its program read-only"))?;
    rustix::process::chdir(STAGE).map_err(doing("enter its root"))?;
    rustix::process::pivot_root(c".", c".").map_err(doing("change its root"))?;
    unmount(c".", UnmountFlags::DETACH).map_err(doing("leave the host's root"))?;
    rustix::process::chdir(c"/").map_err(doing("enter its root"))?;
    read_only(c"/").map_err(doing("make its root read-only"))
}

/// Starts PID 1, as a child of the shim's: a new pid namespace belongs to the user namespace it is made in.
fn beget() -> Outcome {
    let link = Some(LinkNameSpaceType::User);
    match rustix::thread::move_into_link_name_space(std::io::stdin().as_fd(), link) {
        Ok(()) => become_root().map_err(doing("become root of the user namespace"))?,
        // Not a user namespace: the pod has the host's.
        Err(Errno::INVAL) => {}
        Err(error) => return Err(("enter the user namespace", error)),
    }
    // SAFETY: as in `move_out`.
    unsafe { unshare_unsafe(UnshareFlags::NEWPID) }.map_err(doing("make a pid namespace"))?;
    // SAFETY: without CLONE_VM this is a fork, of a process with one thread.
    match unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_PARENT | libc::SIGCHLD, 0, 0, 0, 0) } {
        -1 => Err(("fork", last_error())),
        0 => execute(),
        pid => {
            println!("{pid}");
            Ok(())
        }
    }
}

fn execute() -> Outcome {
    let argv = [c"berth-pause".as_ptr(), c"pause".as_ptr(), c"inside".as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null()];
    // SAFETY: both arrays are of strings and end with a null pointer.
    unsafe { libc::execve(c"/pause".as_ptr(), argv.as_ptr(), environment.as_ptr()) };
    Err(("execute its program", last_error()))
}

/// Gives up all that is left and says that it is locked in.
fn settle() -> Outcome {
    // SAFETY: system calls on plain values.
    let dropped = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let (header, none) = (CapabilityHeader { version: CAPABILITIES_VERSION, pid: 0 }, [0_u32; 6]);
        libc::syscall(libc::SYS_capset, &raw const header, &raw const none)
    };
    if dropped != 0 {
        return Err(("give up capabilities", last_error()));
    }
    // SAFETY: as above. Nobody may look into it, or trace it, for having its user's number.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    println!("{LOCKED_IN}");
    let _ = std::io::stdout().flush();
    // SAFETY: /dev/null takes the place of what it has spoken on, which is at its end then.
    match unsafe { (libc::dup2(2, 1), libc::dup2(2, 0)) } {
        (1, 0) => Ok(()),
        _ => Err(("close its stdout", last_error())),
    }
}

/// Who enters a user namespace is nobody there, with all capabilities until the next program.
fn become_root() -> Result<(), Errno> {
    // SAFETY: no other thread.
    match unsafe {
        libc::setgroups(0, std::ptr::null()) == 0 && libc::setresgid(0, 0, 0) == 0 && libc::setresuid(0, 0, 0) == 0
    } {
        true => Ok(()),
        false => Err(last_error()),
    }
}

/// Also on kernels before 5.12, where all flags are set anew.
fn read_only(path: &CStr) -> Result<(), Errno> {
    match mount_setattr::add(path, libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV) {
        Err(Errno::NOSYS) => {
            let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
            mount_remount(path, flags, c"")
        }
        outcome => outcome,
    }
}

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// As capset(2) takes them.
#[repr(C)]
struct CapabilityHeader {
    version: u32,
    pid: i32,
}

const CAPABILITIES_VERSION: u32 = 0x2008_0522;

fn reap_until_told() -> ExitCode {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset fills the set before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
    loop {
        let mut signal = 0;
        // SAFETY: both pointers are to live locals.
        unsafe { libc::sigwait(all.as_ptr(), &raw mut signal) };
        match signal {
            libc::SIGTERM | libc::SIGINT => return ExitCode::SUCCESS,
            libc::SIGCHLD => reap(),
            _ => {}
        }
    }
}

fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}
