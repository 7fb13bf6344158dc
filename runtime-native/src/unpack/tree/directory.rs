//! Directories: made at once with a plain mode; what their entries say of them is set when the tree is complete.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Mode, OFlags, XattrFlags, chmodat, fsetxattr, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;

use super::failure::failed;
use super::metadata::Metadata;
use super::parents::Parents;
use super::tally::{DIRECTORY_SIZE, Tally};
use super::whiteout::is_whiteout;
use crate::frame::FrameError;
use crate::unpack::limits::exceeded;

/// Marks a directory that hides what the layers below have in it (kernel, overlayfs, "whiteouts and opaque directories").
pub const OPAQUE: &str = "trusted.overlay.opaque";

/// Makes a directory that no entry has named yet: 0755, root's. A whiteout in its place makes it opaque.
pub fn make_implied(above: BorrowedFd<'_>, name: &[u8], path: &[u8], tally: &mut Tally) -> Result<(), FrameError> {
    make(above, name, path, tally)?;
    chmodat(above, name, Mode::from(0o755), AtFlags::empty()).map_err(failed("set the mode of", path))
}

/// Makes a directory unless it is there. A whiteout in its place makes it opaque: the layer hides what is below and
/// has a directory of that name itself. Anything else in its place is an error of kind `invalid`.
pub fn make(above: BorrowedFd<'_>, name: &[u8], path: &[u8], tally: &mut Tally) -> Result<(), FrameError> {
    let failure = failed("make directory", path);
    match mkdirat(above, name, Mode::from(0o700)) {
        Ok(()) => return tally.add(DIRECTORY_SIZE),
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(failure(errno)),
    }
    let there = statat(above, name, AtFlags::SYMLINK_NOFOLLOW).map_err(&failure)?;
    if is_whiteout(&there) {
        unlinkat(above, name, AtFlags::empty()).map_err(&failure)?;
        mkdirat(above, name, Mode::from(0o700)).map_err(&failure)?;
        tally.subtract(0);
        tally.add(DIRECTORY_SIZE)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(above, name, flags, Mode::empty()).map_err(&failure)?;
        return make_opaque(made.as_fd(), path);
    }
    if rustix::fs::FileType::from_raw_mode(there.st_mode).is_dir() { Ok(()) } else { Err(failure(Errno::NOTDIR)) }
}

/// Hides all that the layers below have in this directory (kernel, overlayfs, "whiteouts and opaque directories").
pub fn make_opaque(directory: BorrowedFd<'_>, path: &[u8]) -> Result<(), FrameError> {
    fsetxattr(directory, OPAQUE, b"y", XattrFlags::empty()).map_err(failed("make opaque", path))
}

/// Metadata of directories by path, to be set when nothing more goes into them.
pub struct Pending {
    by_path: BTreeMap<Vec<u8>, Metadata>,
    name_bytes: u64,
    limit: u64,
}

impl Pending {
    pub fn new(name_byte_limit: u64) -> Self {
        Self { by_path: BTreeMap::new(), name_bytes: 0, limit: name_byte_limit }
    }

    /// Notes what an entry says of the directory `path`; a later entry counts.
    pub fn note(&mut self, path: Vec<u8>, metadata: Metadata) -> Result<(), FrameError> {
        self.name_bytes += (path.len() + metadata.xattr_bytes()) as u64;
        if self.name_bytes > self.limit {
            return Err(exceeded("bytes of directory names", self.limit));
        }
        self.by_path.insert(path, metadata);
        Ok(())
    }

    /// True when an entry names the directory `path`.
    pub fn names(&self, path: &[u8]) -> bool {
        self.by_path.contains_key(path)
    }

    /// Drops what is known of `path` and all below it.
    pub fn forget(&mut self, path: &[u8]) {
        self.by_path.remove(path);
        let below = [path, b"/"].concat()..[path, b"0"].concat();
        let gone: Vec<_> = self.by_path.range(below).map(|(path, _)| path.clone()).collect();
        gone.iter().for_each(|path| drop(self.by_path.remove(path)));
    }

    /// Sets everything, children before their parents.
    pub fn apply(self, parents: &Parents) -> Result<(), FrameError> {
        for (path, metadata) in self.by_path.iter().rev() {
            match parents.find(path) {
                Ok(directory) => metadata.apply(directory.as_fd(), path)?,
                // Replaced since, by a name that led here through a symlink.
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(failed("open directory", path)(errno)),
            }
        }
        Ok(())
    }
}
