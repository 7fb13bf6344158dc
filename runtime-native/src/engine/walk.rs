//! A walk through a tree that somebody hostile may have built and may still be changing: no symbolic link is followed,
//! no mount crossed, no depth overflows the stack or runs out of descriptors.

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, fstat, openat, openat2, statat};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Open directories kept on the way down; those further up are found again by `..`.
const HELD_MAX: usize = 64;
const LISTING_BYTES: usize = 16 << 10;

/// What is done on a walk.
pub trait Visit {
    /// Told of each entry; true when it is a directory to go into. An error ends the walk.
    fn meet(&mut self, dir: BorrowedFd, name: &CStr, kind: FileType) -> Result<bool, Errno>;
    /// Told of each directory gone into, once all below it is done.
    fn leave(&mut self, parent: BorrowedFd, name: &CStr) -> Result<(), Errno>;
    /// A directory that could not be entered: an error ends the walk, `Ok` skips it.
    fn refused(&mut self, name: &CStr, error: Errno) -> Result<(), Errno>;
}

/// Walks all below the directory `top`. `STALE` when a directory was moved away under the walk.
pub fn walk(top: OwnedFd, visit: &mut impl Visit) -> Result<(), Errno> {
    let mut buffer = vec![MaybeUninit::uninit(); LISTING_BYTES];
    let mut place = Place { here: top, above: Vec::new() };
    let mut levels = vec![(CString::default(), list(&place.here, &mut buffer, visit)?)];
    while let Some((_, names)) = levels.last_mut() {
        if let Some(name) = names.pop() {
            match place.descend(&name) {
                Ok(()) => {
                    let names = list(&place.here, &mut buffer, visit)?;
                    levels.push((name, names));
                }
                Err(error) => visit.refused(&name, error)?,
            }
            continue;
        }
        let Some((name, _)) = levels.pop().filter(|_| !levels.is_empty()) else { break };
        place.ascend()?;
        visit.leave(place.here.as_fd(), &name)?;
    }
    Ok(())
}

/// Opens a directory to walk, also one that something is mounted on, not following a symbolic link in the last place.
pub fn open(dir: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(dir, name, directory(), Mode::empty())
}

/// Opens a directory of the same mount; `XDEV` when something is mounted on it, `LOOP` or `NOTDIR` when it is none.
pub fn open_here(dir: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    openat2(dir, name, directory(), Mode::empty(), resolve)
}

fn directory() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn list(here: &OwnedFd, buffer: &mut [MaybeUninit<u8>], visit: &mut impl Visit) -> Result<Names, Errno> {
    let mut names = Names::default();
    let mut entries = RawDir::new(here, buffer);
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            // Removed meanwhile.
            Err(Errno::NOENT) => break,
            Err(error) => return Err(error),
        };
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => kind_of(here, name)?,
            kind => kind,
        };
        if visit.meet(here.as_fd(), name, kind)? {
            names.push(name);
        }
    }
    Ok(names)
}

fn kind_of(dir: &OwnedFd, name: &CStr) -> Result<FileType, Errno> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Ok(FileType::from_raw_mode(status.st_mode)),
        Err(Errno::NOENT) => Ok(FileType::Unknown),
        Err(error) => Err(error),
    }
}

/// Names still to go into, one after the other in one allocation, for there may be millions.
#[derive(Default)]
struct Names(Vec<u8>);

impl Names {
    fn push(&mut self, name: &CStr) {
        self.0.extend_from_slice(name.to_bytes_with_nul());
    }

    fn pop(&mut self) -> Option<CString> {
        self.0.pop()?;
        let start = self.0.iter().rposition(|&byte| byte == 0).map_or(0, |end| end + 1);
        CString::new(self.0.split_off(start)).ok()
    }
}

/// Where the walk is, and how it gets back up.
struct Place {
    here: OwnedFd,
    above: Vec<Above>,
}

/// A directory on the way; the descriptor is only there for the lowest few.
struct Above {
    fd: Option<OwnedFd>,
    device: u64,
    inode: u64,
}

impl Place {
    fn descend(&mut self, name: &CStr) -> Result<(), Errno> {
        let below = open_here(&self.here, name)?;
        let status = fstat(&self.here)?;
        let fd = Some(std::mem::replace(&mut self.here, below));
        self.above.push(Above { fd, device: status.st_dev, inode: status.st_ino });
        if let Some(at) = self.above.len().checked_sub(HELD_MAX + 1) {
            self.above[at].fd = None;
        }
        Ok(())
    }

    fn ascend(&mut self) -> Result<(), Errno> {
        let Some(above) = self.above.pop() else { return Err(Errno::NOENT) };
        if let Some(fd) = above.fd {
            self.here = fd;
            return Ok(());
        }
        let parent = openat(&self.here, c"..", directory(), Mode::empty())?;
        let status = fstat(&parent)?;
        if (status.st_dev, status.st_ino) != (above.device, above.inode) {
            return Err(Errno::STALE);
        }
        self.here = parent;
        Ok(())
    }
}

/// A path's parent opened and its last component, for work that must not follow what the last component is.
pub fn parent_of(path: &std::path::Path) -> Result<(OwnedFd, CString), Errno> {
    use std::os::unix::ffi::OsStrExt;
    let (Some(parent), Some(name), true) = (path.parent(), path.file_name(), path.is_absolute()) else {
        return Err(Errno::INVAL);
    };
    let fd = openat(CWD, parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    Ok((fd, CString::new(name.as_bytes()).map_err(|_| Errno::INVAL)?))
}
