//! Paths looked up, and directories made, inside a tree that an image filled: its links lead nowhere but into it.

use crate::components::last_to_first;
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, ResolveFlags, Uid, chmodat, chownat, mkdirat, openat2, readlink, readlinkat,
    statat,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Links on the way to one directory (as the kernel counts, path_resolution(7)).
const LINKS_MAX: usize = 40;

/// Who owns directories that are made.
#[derive(Clone, Copy)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
}

/// Opens (`O_PATH`) what `path` leads to for a process whose root is `root`.
pub fn open(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    loop {
        // EAGAIN: a rename somewhere on the machine met the walk through a `..`.
        match openat2(root, path, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            outcome => return outcome,
        }
    }
}

/// Opens the directory that `path` leads to for a process whose root is `root`, made (0755, the owner's) with what is
/// missing above it, also where a link leads to nothing yet. `NOTDIR` when something else is in the way.
pub fn make_directory(root: &OwnedFd, path: &Path, owner: Owner) -> Result<OwnedFd, Errno> {
    match open(root, path, OFlags::DIRECTORY) {
        Err(Errno::NOENT) => {}
        outcome => return outcome,
    }
    let mut done = PathBuf::new();
    let mut links = 0;
    let mut left = last_to_first(path);
    while let Some(part) = left.pop() {
        let Some(name) = part else {
            done.pop();
            continue;
        };
        let above = open(root, &done, OFlags::DIRECTORY)?;
        match mkdirat(&above, &name, Mode::from(0o700)) {
            Ok(()) => settle(&above, &name, owner)?,
            Err(Errno::EXIST) => {
                match FileType::from_raw_mode(statat(&above, &name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode) {
                    FileType::Directory => {}
                    FileType::Symlink => {
                        links += 1;
                        if links > LINKS_MAX {
                            return Err(Errno::LOOP);
                        }
                        let target = readlinkat(&above, &name, Vec::new())?;
                        let target = Path::new(OsStr::from_bytes(target.to_bytes()));
                        if target.is_absolute() {
                            done.clear();
                        }
                        left.extend(last_to_first(target));
                        continue;
                    }
                    _ => return Err(Errno::NOTDIR),
                }
            }
            Err(error) => return Err(error),
        }
        done.push(name);
    }
    open(root, &done, OFlags::DIRECTORY)
}

/// The path of an open file or directory as this process sees it; `ILSEQ` when it is not UTF-8.
pub fn shown(opened: &OwnedFd) -> Result<String, Errno> {
    let link = readlink(format!("/proc/self/fd/{}", opened.as_raw_fd()), Vec::new())?;
    link.into_string().map_err(|_| Errno::ILSEQ)
}

fn settle(above: &OwnedFd, name: &Path, owner: Owner) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    chownat(above, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    chmodat(above, name, Mode::from(0o755), AtFlags::empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, openat};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};

    /// A tree for one test; it goes away with this.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str) -> (Self, OwnedFd) {
            let base = std::env::temp_dir().join(format!("berth-inside-{name}-{}", std::process::id()));
            fs::create_dir_all(base.join("root/etc")).unwrap();
            let root = openat(CWD, base.join("root"), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
            (Self(base), root)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    const OWNER: Owner = Owner { uid: 7, gid: 8 };

    #[test]
    fn missing_directories_are_made_for_their_owner_and_present_ones_stay() {
        let (tree, root) = Tree::new("make");
        let made = make_directory(&root, Path::new("/etc/a/b"), OWNER).unwrap();
        assert_eq!(shown(&made).unwrap(), tree.0.join("root/etc/a/b").to_str().unwrap());
        let (etc, a) =
            (fs::metadata(tree.0.join("root/etc")).unwrap(), fs::metadata(tree.0.join("root/etc/a")).unwrap());
        assert_eq!((etc.uid(), a.uid(), a.gid(), a.mode() & 0o7777), (0, 7, 8, 0o755));
        make_directory(&root, Path::new("etc/a/b/"), Owner { uid: 9, gid: 9 }).unwrap();
        assert_eq!(fs::metadata(tree.0.join("root/etc/a")).unwrap().uid(), 7);
    }

    #[test]
    fn links_lead_into_the_tree_also_those_to_nothing() {
        let (tree, root) = Tree::new("links");
        symlink("../../../../outside", tree.0.join("root/up")).unwrap();
        symlink("/later/run", tree.0.join("root/etc/run")).unwrap();
        let at = |path: &str| shown(&make_directory(&root, Path::new(path), OWNER).unwrap()).unwrap();
        assert_eq!(at("up/x"), tree.0.join("root/outside/x").to_str().unwrap());
        assert_eq!(at("/etc/run/data"), tree.0.join("root/later/run/data").to_str().unwrap());
        assert_eq!(at("/../../x"), tree.0.join("root/x").to_str().unwrap());
        assert!(!tree.0.join("outside").exists());
    }

    #[test]
    fn loops_and_files_in_the_way_are_errors() {
        let (tree, root) = Tree::new("loop");
        symlink("b", tree.0.join("root/a")).unwrap();
        symlink("a", tree.0.join("root/b")).unwrap();
        symlink("c/c", tree.0.join("root/c")).unwrap();
        fs::write(tree.0.join("root/file"), "").unwrap();
        let error = |path: &str| make_directory(&root, Path::new(path), OWNER).unwrap_err();
        assert_eq!((error("a"), error("a/x"), error("c/x")), (Errno::LOOP, Errno::LOOP, Errno::LOOP));
        assert_eq!((error("file"), error("file/x")), (Errno::NOTDIR, Errno::NOTDIR));
    }
}
