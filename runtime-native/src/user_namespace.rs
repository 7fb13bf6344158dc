//! A new user namespace, and namespaces that belong to it. Only a process inside can make the latter, so one is
//! forked, does it, and stays until whoever asked has opened what it made.
#![allow(unsafe_code)]

use rustix::thread::UnshareFlags;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// A range of ids: `size` of them, from `container_id` inside and from `host_id` outside (user_namespaces(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdMapping {
    pub container_id: u32,
    pub host_id: u32,
    pub size: u32,
}

/// How a user namespace maps users and groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMappings {
    pub uids: Vec<IdMapping>,
    pub gids: Vec<IdMapping>,
}

impl IdMappings {
    /// What user and group 0 inside are outside; `None` when they are not mapped.
    pub fn root(&self) -> Option<(u32, u32)> {
        let outside = |maps: &[IdMapping]| maps.iter().find(|map| map.container_id == 0).map(|map| map.host_id);
        Some((outside(&self.uids)?, outside(&self.gids)?))
    }
}

/// A process whose only use is to be in new namespaces; it ends when this is dropped.
pub struct Inhabitant {
    pid: i32,
    _talk: UnixStream,
}

impl Inhabitant {
    /// Makes a user namespace, in it (as its root) the namespaces of `also`, and a process that is in all of them.
    pub fn new(mappings: &IdMappings, also: UnshareFlags) -> io::Result<Self> {
        let (mut ours, theirs) = UnixStream::pair()?;
        // SAFETY: without CLONE_VM this is a fork: the child has a copy of this thread alone and goes on in `settle`,
        // which only makes system calls and does not return.
        let pid = match unsafe { libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0) } {
            -1 => return Err(io::Error::last_os_error()),
            0 => settle(ours.as_raw_fd(), theirs.as_raw_fd(), also),
            pid => pid as i32,
        };
        drop(theirs);
        let inhabitant = Self { pid, _talk: ours.try_clone()? };
        fs::write(format!("/proc/{pid}/uid_map"), lines(&mappings.uids))?;
        fs::write(format!("/proc/{pid}/gid_map"), lines(&mappings.gids))?;
        ours.write_all(&[0])?;
        let mut errno = [0; 4];
        ours.read_exact(&mut errno)?;
        match i32::from_ne_bytes(errno) {
            0 => Ok(inhabitant),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// Opens its namespace of a kind, named as below `/proc/PID/ns`.
    pub fn namespace(&self, kind: &str) -> io::Result<OwnedFd> {
        Ok(fs::File::open(format!("/proc/{}/ns/{kind}", self.pid))?.into())
    }
}

impl Drop for Inhabitant {
    fn drop(&mut self) {
        // SAFETY: the child is ours and not waited for by anyone else; a null status is allowed.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            while libc::waitpid(self.pid, std::ptr::null_mut(), 0) < 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
        }
    }
}

fn lines(mappings: &[IdMapping]) -> String {
    mappings.iter().map(|map| format!("{} {} {}\n", map.container_id, map.host_id, map.size)).collect()
}

/// The child: waits for its ids to be mapped, becomes root inside, so that what it makes belongs to that root, makes
/// the other namespaces, tells how that went, and waits for its end. It ends as well when its maker does.
fn settle(makers: i32, talk: i32, also: UnshareFlags) -> ! {
    // SAFETY: async-signal-safe system calls on descriptors and locals of this copy.
    unsafe {
        libc::close(makers);
        let mut byte = 0_u8;
        if libc::read(talk, (&raw mut byte).cast(), 1) != 1 {
            libc::_exit(1);
        }
        // The calls themselves: the C library's functions would wait for threads that this copy does not have.
        let done = libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) == 0
            && libc::syscall(libc::SYS_setresgid, 0, 0, 0) == 0
            && libc::syscall(libc::SYS_setresuid, 0, 0, 0) == 0
            && libc::unshare(also.bits() as i32) == 0;
        let errno = if done { 0 } else { *libc::__errno_location() };
        libc::write(talk, (&raw const errno).cast(), size_of::<i32>());
        while libc::read(talk, (&raw mut byte).cast(), 1) > 0 {}
        libc::_exit(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_made_inside_belongs_to_the_user_namespace_and_ends_with_its_last_descriptor() {
        let map = IdMapping { container_id: 0, host_id: 300_000, size: 1000 };
        let mappings = IdMappings { uids: vec![map], gids: vec![map] };
        let inhabitant = Inhabitant::new(&mappings, UnshareFlags::NEWUTS).unwrap();
        let (user, uts) = (inhabitant.namespace("user").unwrap(), inhabitant.namespace("uts").unwrap());
        drop(inhabitant);
        // SAFETY: NS_GET_USERNS takes no argument and gives a new descriptor or -1.
        let owner = unsafe { libc::ioctl(uts.as_raw_fd(), 0xb701) };
        let inode =
            |fd: i32| fs::metadata(format!("/proc/self/fd/{fd}")).map(|it| std::os::unix::fs::MetadataExt::ino(&it));
        assert_eq!(inode(owner).unwrap(), inode(user.as_raw_fd()).unwrap());
        // SAFETY: the descriptor was made above and nobody else has it.
        unsafe { libc::close(owner) };
        assert_eq!(mappings.root(), Some((300_000, 300_000)));
    }

    #[test]
    fn a_mapping_that_the_kernel_refuses_is_an_error() {
        let map = IdMapping { container_id: 0, host_id: 1, size: 0 };
        let mappings = IdMappings { uids: vec![map], gids: vec![map] };
        assert!(Inhabitant::new(&mappings, UnshareFlags::empty()).is_err());
    }
}
