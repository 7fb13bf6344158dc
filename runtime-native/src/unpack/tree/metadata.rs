//! Owner, mode, times and extended attributes of what has been made.

use std::os::fd::BorrowedFd;

use rustix::fs::{
    AtFlags, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid, XattrFlags, chmodat, chownat, fchmod, fchown,
    fsetxattr, futimens, utimensat,
};
use rustix::io::Errno;

use super::failure::failed;
use crate::frame::FrameError;
use crate::unpack::tar::Entry;

/// What an entry says of its inode besides its data.
pub struct Metadata {
    mode: u32,
    uid: u32,
    gid: u32,
    mtime: (i64, u32),
    xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whose the inode is already: root's when it was just made, for no directory has its setgid bit before the tree is
    /// complete.
    owned_by: (u32, u32),
}

impl Metadata {
    pub fn of(entry: &Entry) -> Self {
        let xattrs = entry.xattrs.iter().filter(|(name, _)| is_kept(name)).cloned().collect();
        Self { mode: entry.mode, uid: entry.uid, gid: entry.gid, mtime: entry.mtime, xattrs, owned_by: (0, 0) }
    }

    /// What a further entry says of an inode that is like `now`.
    pub fn again(entry: &Entry, now: &Stat) -> Self {
        Self { owned_by: (now.st_uid, now.st_gid), ..Self::of(entry) }
    }

    /// Sets all of it on an open file or directory. The owner first: to change it clears setuid and capabilities.
    pub fn apply(&self, inode: BorrowedFd<'_>, path: &[u8]) -> Result<(), FrameError> {
        if !self.is_owned() {
            fchown(inode, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
                .map_err(failed("set the owner of", path))?;
        }
        fchmod(inode, Mode::from(self.mode)).map_err(failed("set the mode of", path))?;
        for (name, value) in &self.xattrs {
            match fsetxattr(inode, name.as_slice(), value, XattrFlags::empty()) {
                // Plain attributes are dropped where the file system has none; a lost capability would not be noticed.
                Err(Errno::NOTSUP) if name.starts_with(b"user.") => {}
                outcome => outcome.map_err(failed("set an extended attribute of", path))?,
            }
        }
        futimens(inode, &self.times()).map_err(failed("set the time of", path))
    }

    /// Sets what a device or fifo has, by name: opening one could have effects.
    pub fn apply_to_node(&self, above: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<(), FrameError> {
        self.apply_to_symlink(above, name, path)?;
        chmodat(above, name, Mode::from(self.mode), AtFlags::empty()).map_err(failed("set the mode of", path))
    }

    /// Sets what a symlink has: owner and time.
    pub fn apply_to_symlink(&self, above: BorrowedFd<'_>, name: &[u8], path: &[u8]) -> Result<(), FrameError> {
        if !self.is_owned() {
            let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            chownat(above, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(failed("set the owner of", path))?;
        }
        utimensat(above, name, &self.times(), AtFlags::SYMLINK_NOFOLLOW).map_err(failed("set the time of", path))
    }

    /// Bytes of memory that the attributes take.
    pub fn xattr_bytes(&self) -> usize {
        self.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// An owner that is right stays: to set it clears setuid and capabilities.
    fn is_owned(&self) -> bool {
        (self.uid, self.gid) == self.owned_by
    }

    fn times(&self) -> Timestamps {
        Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: self.mtime.0, tv_nsec: self.mtime.1.into() },
        }
    }
}

/// Attributes that a layer may set. Those of overlayfs would let it hide or redirect what is not its own.
pub fn is_kept(name: &[u8]) -> bool {
    name == b"security.capability" || (name.starts_with(b"user.") && !name.starts_with(b"user.overlay."))
}
