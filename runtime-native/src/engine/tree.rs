//! removeTrees: mounts taken off, trees removed whatever is in them.

use super::call::Call;
use super::errors::{self, failed};
use super::messages::{Done, RemoveTreesAsk};
use super::mount;
use super::walk::{self, Visit, walk};
use crate::frame::FrameError;
use rustix::fs::{AtFlags, FileType, IFlags, Mode, OFlags, ioctl_getflags, ioctl_setflags, openat, unlinkat};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Somebody may still be writing into the tree.
const ATTEMPTS: usize = 4;

/// Unmounts each mount point, then removes each tree without crossing mounts; all are tried before errors are told.
pub fn remove_trees(ask: &RemoveTreesAsk, call: &Call) -> Result<Done, FrameError> {
    let unmounts = ask.unmount.iter().map(|path| mount::unmount(path));
    let failures: Vec<FrameError> = unmounts.filter_map(Result::err).collect();
    // A tree with a mount left in it keeps what was mounted there: the walk stops at the mount.
    let removals = ask.remove.iter().map(|path| remove_tree(Path::new(path), &|| call.check()));
    errors::all(failures.into_iter().chain(removals.filter_map(Result::err)).collect()).map(|()| Done {})
}

/// Removes a tree, or whatever is at the path; nothing there is fine. Crosses no mount: `in-use` when one is there.
pub fn remove_tree(path: &Path, check: &dyn Fn() -> Result<(), FrameError>) -> Result<(), FrameError> {
    let mut result = Ok(());
    for _ in 0..ATTEMPTS {
        check()?;
        result = attempt(path, check);
        if !matches!(result, Err(Errno::NOTEMPTY | Errno::STALE | Errno::EXIST)) {
            break;
        }
    }
    check()?;
    match result {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::XDEV) => Err(FrameError::new(
            "in-use",
            format!("could not remove {}: something is mounted below it", path.display()),
        )),
        Err(error) => Err(failed(format!("remove {}", path.display()), error)),
    }
}

fn attempt(path: &Path, check: &dyn Fn() -> Result<(), FrameError>) -> Result<(), Errno> {
    let (parent, name) = walk::parent_of(path)?;
    let top = match walk::open_here(&parent, &name) {
        Ok(top) => top,
        Err(Errno::NOTDIR | Errno::LOOP) => return unlink(parent.as_fd(), &name, FileType::Unknown, AtFlags::empty()),
        Err(error) => return Err(error),
    };
    walk(top, &mut Remove { check, met: 0 })?;
    unlink(parent.as_fd(), &name, FileType::Directory, AtFlags::REMOVEDIR)
}

struct Remove<'a> {
    check: &'a dyn Fn() -> Result<(), FrameError>,
    met: u32,
}

impl Visit for Remove<'_> {
    fn meet(&mut self, dir: BorrowedFd, name: &CStr, kind: FileType) -> Result<bool, Errno> {
        self.met = self.met.wrapping_add(1);
        if self.met.is_multiple_of(256) && (self.check)().is_err() {
            return Err(Errno::CANCELED);
        }
        if kind == FileType::Directory {
            return Ok(true);
        }
        match unlink(dir, name, kind, AtFlags::empty()) {
            Err(Errno::ISDIR) => Ok(true),
            result => result.map(|()| false),
        }
    }

    fn leave(&mut self, parent: BorrowedFd, name: &CStr) -> Result<(), Errno> {
        unlink(parent, name, FileType::Directory, AtFlags::REMOVEDIR)
    }

    fn refused(&mut self, _name: &CStr, error: Errno) -> Result<(), Errno> {
        match error {
            // Gone, or replaced by something else, which the next attempt meets.
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Ok(()),
            error => Err(error),
        }
    }
}

/// Removes one entry, also one that was made immutable; one that is gone is fine.
fn unlink(dir: BorrowedFd, name: &CStr, kind: FileType, flags: AtFlags) -> Result<(), Errno> {
    let first = unlinkat(dir, name, flags);
    let result = if first == Err(Errno::PERM) {
        loosen(dir, c".");
        if matches!(kind, FileType::Directory | FileType::RegularFile) {
            loosen(dir, name);
        }
        unlinkat(dir, name, flags)
    } else {
        first
    };
    match result {
        Err(Errno::NOENT) => Ok(()),
        Err(Errno::BUSY) => Err(Errno::XDEV),
        result => result,
    }
}

/// Takes the immutable and append-only flags off (chattr(1)).
fn loosen(dir: BorrowedFd, name: &CStr) {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY | OFlags::CLOEXEC;
    let Ok(file) = openat(dir, name, flags, Mode::empty()) else { return };
    if let Ok(found) = ioctl_getflags(&file) {
        let _ = ioctl_setflags(&file, found - (IFlags::IMMUTABLE | IFlags::APPEND));
    }
}
