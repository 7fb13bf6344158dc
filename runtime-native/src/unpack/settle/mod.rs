//! A layer meets those below it. It was unpacked by itself, so a directory that no entry of its own names is plain, and
//! stands there even where the layers below have a symlink to a directory elsewhere (`/bin` to `usr/bin`). Here such a
//! directory becomes what it would be had the layer been unpacked on top of them.

mod view;

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, RenameFlags, Stat, Uid, XattrFlags, fchmod, fchown, fsetxattr, openat,
    renameat_with, unlinkat,
};
use rustix::io::Errno;

use self::view::{View, is_opaque, name_of, parent_of};
use super::tree::{OPAQUE, discard};

/// Settles the directories `implied` of the layer at `layer` on the layers `below`, the topmost first. Does nothing the
/// second time.
pub fn settle(layer: &Path, below: &[PathBuf], implied: &[String]) -> Result<(), Errno> {
    let view = View::open(layer, below)?;
    let mut paths: Vec<PathBuf> = implied.iter().map(PathBuf::from).collect();
    paths.sort();
    let mut at = 0;
    while let Some(path) = paths.get(at).cloned() {
        at += 1;
        let Ok(directory) = view.own(&path) else { continue };
        let Some(found) = view.below(&path)? else { continue };
        if found.kind == FileType::Directory {
            like(&directory, &found.stat)?;
        }
        if found.kind != FileType::Symlink {
            continue;
        }
        let Some(target) = view.leads_to(&path)? else { continue };
        let made = view.make(&target)?;
        merge(&directory, &view.own(&target)?)?;
        unlinkat(view.own(parent_of(&path))?, name_of(&path), AtFlags::REMOVEDIR)?;
        let moved: Vec<_> = paths[at..].iter().filter_map(|other| other.strip_prefix(&path).ok()).collect();
        let moved: Vec<_> = moved.into_iter().map(|rest| target.join(rest)).collect();
        paths.extend(made.into_iter().chain(moved));
    }
    Ok(())
}

/// Gives a directory the owner and the mode of another.
fn like(directory: &OwnedFd, stat: &Stat) -> Result<(), Errno> {
    fchown(directory, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    fchmod(directory, Mode::from_raw_mode(stat.st_mode & 0o7777))
}

/// Moves all that `from` holds into `to`: what both have as a directory is merged, else what `to` has stays.
fn merge(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    if is_opaque(from) {
        fsetxattr(to, OPAQUE, b"y", XattrFlags::empty())?;
    }
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match renameat_with(from, name, to, name, RenameFlags::NOREPLACE) {
            Ok(()) => continue,
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if let (Ok(inner), Ok(other)) =
            (openat(from, name, flags, Mode::empty()), openat(to, name, flags, Mode::empty()))
        {
            merge(&inner, &other)?;
        }
        discard(from.as_fd(), name.to_bytes())?;
    }
    Ok(())
}
