//! The directories that entries go into, opened so that nothing in the layer can lead out of it.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2, readlink};
use rustix::io::Errno;

use super::directory;
use super::failure::failed;
use super::place::join;
use super::tally::Tally;
use crate::frame::FrameError;

/// Directories within each other, counted from the machine's root, that a symlink may lead to.
const DEPTH: usize = 400;
/// Far more than layers have that were not made to be a burden.
const IMPLIED_MAX: usize = 1000;

/// The layer's top directory and the parent used last, which most often is the next one's too.
pub struct Parents {
    root: OwnedFd,
    last: Option<(Vec<u8>, OwnedFd)>,
    /// Directories made here, at most [`IMPLIED_MAX`]: what is left to the layers below beyond that stays plain.
    implied: BTreeSet<Vec<u8>>,
}

impl Parents {
    pub fn new(root: OwnedFd) -> Self {
        Self { root, last: None, implied: BTreeSet::new() }
    }

    /// The directories that were made for what lies in them.
    pub fn implied(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.implied.iter()
    }

    /// Must be called when a directory or symlink goes away: the path of the last parent may lead elsewhere now.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// The directory `path`, symlinks on the way resolved inside the layer; made (0755, root) where it is missing.
    pub fn open(&mut self, path: &[u8], tally: &mut Tally) -> Result<BorrowedFd<'_>, FrameError> {
        if path.is_empty() {
            return Ok(self.root.as_fd());
        }
        let known = self.last.take().filter(|(last, _)| last == path);
        let entry = match known {
            Some(known) => known,
            None => match open_inside(self.root.as_fd(), path) {
                Ok(directory) => (path.to_vec(), directory),
                Err(Errno::NOENT | Errno::NOTDIR) => (path.to_vec(), self.make(path, tally)?),
                Err(errno) => return Err(failed("open directory", path)(errno)),
            },
        };
        Ok(self.last.insert(entry).1.as_fd())
    }

    /// The directory `path` if it is there; never made.
    pub fn find(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        open_inside(self.root.as_fd(), if path.is_empty() { b"." } else { path })
    }

    fn make(&mut self, path: &[u8], tally: &mut Tally) -> Result<OwnedFd, FrameError> {
        let mut done = Vec::new();
        let mut above = self.find(b"").map_err(failed("open directory", path))?;
        for part in path.split(|byte| *byte == b'/') {
            let next = join(&done, part);
            above = match open_inside(self.root.as_fd(), &next) {
                Ok(directory) => directory,
                Err(Errno::NOENT | Errno::NOTDIR) => {
                    directory::make_implied(above.as_fd(), part, &next, tally)?;
                    if self.implied.len() < IMPLIED_MAX {
                        self.implied.insert(next.clone());
                    }
                    open_inside(self.root.as_fd(), &next).map_err(failed("open directory", &next))?
                }
                Err(errno) => return Err(failed("open directory", &next)(errno)),
            };
            done = next;
        }
        Ok(above)
    }
}

/// Opens a directory of the layer as if the layer were the root of all (openat2, RESOLVE_IN_ROOT).
fn open_inside(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let confined = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    match open_resolving(root, path, confined | ResolveFlags::NO_SYMLINKS) {
        Err(Errno::LOOP) => {}
        outcome => return outcome,
    }
    let directory = open_resolving(root, path, confined)?;
    // Symlinks can stack short names into a tree too deep to be removed.
    let shown = readlink(format!("/proc/self/fd/{}", directory.as_raw_fd()), Vec::new())?;
    if shown.to_bytes().split(|byte| *byte == b'/').count() > DEPTH {
        return Err(Errno::NAMETOOLONG);
    }
    Ok(directory)
}

fn open_resolving(root: BorrowedFd<'_>, path: &[u8], resolve: ResolveFlags) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    loop {
        // EAGAIN: a rename somewhere on the machine met the walk through a `..`.
        match openat2(root, path, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            outcome => return outcome,
        }
    }
}
