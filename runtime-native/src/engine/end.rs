//! How a process ended whose parent is somebody else: told by a pidfd that was opened before it was reaped, where the
//! kernel keeps that (Linux 6.15, `PIDFD_INFO_EXIT` in `linux/pidfd.h`). Elsewhere nobody knows.
#![allow(unsafe_code)]

use super::messages::{CgroupDirs, End};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

/// How long the process' new parent may take to reap it; until then the kernel tells nothing.
const REAPING: Duration = Duration::from_secs(3);

/// `struct pidfd_info` in its first version.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup_id: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `_IOWR(0xff, 11, struct pidfd_info)`, the same on x86-64 and arm64.
const PIDFD_GET_INFO: libc::c_ulong = 3 << 30 | (size_of::<PidfdInfo>() as libc::c_ulong) << 16 | 0xff << 8 | 11;

/// Holds a process that is in the cgroup; `None` when that number is somebody else's by now.
pub fn hold(pid: i32, cgroup: &CgroupDirs) -> Option<OwnedFd> {
    let held = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let mut names = cgroup.values().filter_map(|dir| Path::new(dir).file_name()?.to_str());
    names.any(|name| groups.contains(&format!("/{name}"))).then_some(held)
}

/// How a held process ended, once it is reaped; `None` when it is not in time, or the kernel does not tell.
pub fn of(held: &OwnedFd) -> Option<End> {
    let timeout = Timespec::try_from(REAPING).ok()?;
    // With no event asked for, only that of the reaping is left.
    poll(&mut [PollFd::new(held, PollFlags::empty())], Some(&timeout)).ok()?;
    let mut info = PidfdInfo { mask: PIDFD_INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the request names the size of `info`, which outlives the call.
    let outcome = unsafe { libc::ioctl(held.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) };
    (outcome == 0 && info.mask & PIDFD_INFO_EXIT != 0).then(|| of_status(info.exit_code))
}

/// As wait(2) packs it.
fn of_status(status: i32) -> End {
    match status & 0x7f {
        0 => End { exit_code: status >> 8 & 0xff, signal: 0 },
        signal => End { exit_code: 128 + signal, signal },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_code_or_a_signal() {
        let end = |status| (of_status(status).exit_code, of_status(status).signal);
        assert_eq!(end(7 << 8), (7, 0));
        assert_eq!(end(9), (137, 9));
        assert_eq!(end(0x80 | 11), (139, 11));
    }

    #[test]
    fn a_number_in_another_cgroup_is_not_held() {
        let dirs = CgroupDirs::from([("unified".to_owned(), "/sys/fs/cgroup/nobody-is-in-this".to_owned())]);
        assert!(hold(std::process::id() as i32, &dirs).is_none());
        assert!(hold(0, &dirs).is_none());
    }
}
