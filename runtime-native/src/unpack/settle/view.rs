//! A layer's tree on top of others, looked at as overlayfs would show them, without being mounted.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    CWD, FileType, Mode, OFlags, ResolveFlags, Stat, fgetxattr, fstat, mkdirat, openat, openat2, readlinkat,
};
use rustix::io::Errno;

use crate::components::last_to_first;
use crate::unpack::tree::{OPAQUE, is_whiteout};

/// Links followed to find one directory (as the kernel counts, path_resolution(7)).
const LINKS_MAX: usize = 40;

/// What a name is, in the topmost layer that has it.
pub struct Found {
    pub kind: FileType,
    pub stat: Stat,
    tree: usize,
}

/// The trees of the layer itself (first) and of those below it.
pub struct View {
    trees: Vec<OwnedFd>,
}

impl View {
    pub fn open(layer: &Path, below: &[PathBuf]) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let paths = std::iter::once(layer).chain(below.iter().map(PathBuf::as_path));
        let trees = paths.map(|path| openat(CWD, path, flags, Mode::empty())).collect::<Result<_, _>>()?;
        Ok(Self { trees })
    }

    /// A directory of the layer itself.
    pub fn own(&self, path: &Path) -> Result<OwnedFd, Errno> {
        inside(&self.trees[0], path, OFlags::RDONLY | OFlags::DIRECTORY)
    }

    /// What the layers below show at `path` where the layer itself has nothing or a directory.
    pub fn below(&self, path: &Path) -> Result<Option<Found>, Errno> {
        if hides(&self.trees[0], path)? {
            return Ok(None);
        }
        for (tree, opened) in self.trees.iter().enumerate().skip(1) {
            match inside(opened, path, OFlags::PATH | OFlags::NOFOLLOW) {
                Ok(found) => {
                    let stat = fstat(&found)?;
                    let kind = FileType::from_raw_mode(stat.st_mode);
                    return Ok((!is_whiteout(&stat)).then_some(Found { kind, stat, tree }));
                }
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
                Err(errno) => return Err(errno),
            }
            if hides(opened, path)? {
                break;
            }
        }
        Ok(None)
    }

    /// The directory that the symlink below at `path` leads to, as a path without symlinks; `None` when there is none.
    pub fn leads_to(&self, path: &Path) -> Result<Option<PathBuf>, Errno> {
        let mut done = PathBuf::new();
        let mut left = last_to_first(path);
        let mut links = 0;
        while let Some(part) = left.pop() {
            let Some(name) = part else {
                done.pop();
                continue;
            };
            done.push(name);
            match self.below(&done)? {
                Some(Found { kind: FileType::Directory, .. }) => {}
                Some(Found { kind: FileType::Symlink, tree, .. }) if links < LINKS_MAX => {
                    links += 1;
                    let target = self.link(tree, &done)?;
                    done.pop();
                    if target.is_absolute() {
                        done.clear();
                    }
                    left.extend(last_to_first(&target));
                }
                _ => return Ok(None),
            }
        }
        Ok(Some(done))
    }

    fn link(&self, tree: usize, path: &Path) -> Result<PathBuf, Errno> {
        let above = inside(&self.trees[tree], parent_of(path), OFlags::PATH | OFlags::DIRECTORY)?;
        let target = readlinkat(&above, name_of(path), Vec::new())?;
        Ok(PathBuf::from(OsStr::from_bytes(target.to_bytes())))
    }

    /// Makes the directory `path` of the layer with all above it; returns those that were missing, the outermost first.
    pub fn make(&self, path: &Path) -> Result<Vec<PathBuf>, Errno> {
        let mut made = Vec::new();
        let mut done = PathBuf::new();
        for part in path {
            let above = self.own(&done)?;
            done.push(part);
            match mkdirat(&above, part, Mode::from(0o755)) {
                Ok(()) => made.push(done.clone()),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(made)
    }
}

/// True for a directory that hides all that the layers below have in it.
pub fn is_opaque(directory: &OwnedFd) -> bool {
    fgetxattr(directory, OPAQUE, &mut [0_u8; 1]).is_ok()
}

pub fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

pub fn name_of(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// True when a tree hides what the trees below it have at `path`, by something above that.
fn hides(tree: &OwnedFd, path: &Path) -> Result<bool, Errno> {
    for above in path.ancestors().skip(1) {
        match inside(tree, above, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(directory) if is_opaque(&directory) => return Ok(true),
            Ok(_) | Err(Errno::NOENT) => {}
            // A file, a symlink or a whiteout is there.
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

fn inside(tree: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    openat2(tree, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
}
