//! relabel: gives a tree of files, such as a volume, an SELinux label. The pods that have it may be changing it meanwhile.

use super::call::Call;
use super::errors::{cancelled, failed};
use super::messages::{Done, RelabelAsk};
use super::walk::{self, Visit, walk};
use crate::frame::FrameError;
use rustix::fs::{FileType, XattrFlags, lgetxattr, lsetxattr};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

const ATTRIBUTE: &CStr = c"security.selinux";
/// A page is the most that the kernel shows of a label.
const LABEL_MAX_BYTES: usize = 4096;
const ATTEMPTS: usize = 4;

/// Labels every file of the trees, each tree's top last; so a tree whose top has the label is done and not walked again.
/// Symbolic links are labelled themselves, mounts inside are left as they are, and so is all of a file system that
/// keeps no labels.
pub fn relabel(ask: &RelabelAsk, call: &Call) -> Result<Done, FrameError> {
    for tree in &ask.trees {
        let mut result = Err(Errno::STALE);
        for _ in 0..ATTEMPTS {
            call.check()?;
            result = relabel_tree(Path::new(tree), &ask.label, &|| call.check().is_err());
            if !matches!(result, Err(Errno::STALE)) {
                break;
            }
        }
        match result {
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(Errno::CANCELED) => return Err(cancelled()),
            Err(error) => return Err(failed(format!("give {tree} the SELinux label {}", ask.label), error)),
        }
    }
    Ok(Done {})
}

fn relabel_tree(tree: &Path, label: &str, given_up: &dyn Fn() -> bool) -> Result<(), Errno> {
    let (parent, name) = walk::parent_of(tree)?;
    let mut labelling = Labelling { label, given_up, met: 0, seen: vec![0; LABEL_MAX_BYTES] };
    if labelling.has(&place(parent.as_fd(), &name)?)? {
        return Ok(());
    }
    match walk::open(&parent, &name) {
        Ok(top) => walk(top, &mut labelling)?,
        Err(Errno::NOTDIR | Errno::LOOP) => {}
        Err(error) => return Err(error),
    }
    labelling.label(parent.as_fd(), &name)
}

/// A name in a directory that stays the same one whatever becomes of its path; the name itself is not followed.
fn place(dir: BorrowedFd, name: &CStr) -> Result<CString, Errno> {
    let mut path = format!("/proc/self/fd/{}/", dir.as_raw_fd()).into_bytes();
    path.extend_from_slice(name.to_bytes());
    CString::new(path).map_err(|_| Errno::INVAL)
}

struct Labelling<'a> {
    label: &'a str,
    given_up: &'a dyn Fn() -> bool,
    met: usize,
    seen: Vec<u8>,
}

impl Labelling<'_> {
    fn has(&mut self, place: &CStr) -> Result<bool, Errno> {
        match lgetxattr(place, ATTRIBUTE, self.seen.as_mut_slice()) {
            Ok(count) => {
                Ok(self.seen[..count].strip_suffix(b"\0").unwrap_or(&self.seen[..count]) == self.label.as_bytes())
            }
            Err(Errno::NODATA | Errno::RANGE) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn label(&mut self, dir: BorrowedFd, name: &CStr) -> Result<(), Errno> {
        let place = place(dir, name)?;
        let labelled = match self.has(&place) {
            Ok(false) => lsetxattr(place.as_c_str(), ATTRIBUTE, self.label.as_bytes(), XattrFlags::empty()),
            looked => looked.map(|_| ()),
        };
        // Removed meanwhile.
        if labelled == Err(Errno::NOENT) { Ok(()) } else { labelled }
    }
}

impl Visit for Labelling<'_> {
    fn meet(&mut self, dir: BorrowedFd, name: &CStr, kind: FileType) -> Result<bool, Errno> {
        if self.met.is_multiple_of(256) && (self.given_up)() {
            return Err(Errno::CANCELED);
        }
        self.met += 1;
        if kind.is_dir() {
            return Ok(true);
        }
        self.label(dir, name).map(|()| false)
    }

    fn leave(&mut self, parent: BorrowedFd, name: &CStr) -> Result<(), Errno> {
        self.label(parent, name)
    }

    fn refused(&mut self, _name: &CStr, error: Errno) -> Result<(), Errno> {
        match error {
            // Another mount, removed meanwhile, or another kind of file by now.
            Errno::XDEV | Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Ok(()),
            error => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: &str = "system_u:object_r:container_file_t:s0:c1,c2";

    fn label_of(path: &Path) -> String {
        let mut seen = [0; 256];
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let count = lgetxattr(path.as_c_str(), ATTRIBUTE, &mut seen).unwrap_or(0);
        String::from_utf8_lossy(&seen[..count]).trim_end_matches('\0').to_owned()
    }

    #[test]
    fn everything_in_a_tree_is_labelled_but_nothing_that_a_link_leads_to() {
        let base = std::env::temp_dir().join(format!("berth-relabel-{}", std::process::id()));
        let tree = base.join("tree");
        std::fs::create_dir_all(tree.join("deep/deeper")).unwrap();
        for file in ["tree/file", "tree/deep/deeper/file", "outside"] {
            std::fs::write(base.join(file), "x").unwrap();
        }
        std::os::unix::fs::symlink(base.join("outside"), tree.join("link")).unwrap();
        relabel_tree(&tree, LABEL, &|| false).unwrap();
        for file in ["tree", "tree/file", "tree/link", "tree/deep", "tree/deep/deeper", "tree/deep/deeper/file"] {
            assert_eq!(label_of(&base.join(file)), LABEL, "{file}");
        }
        assert_eq!(label_of(&base.join("outside")), "");
        relabel_tree(&tree.join("file"), "u:r:t:s0", &|| false).unwrap();
        assert_eq!(label_of(&tree.join("file")), "u:r:t:s0");
        std::fs::remove_dir_all(&base).unwrap();
    }

    #[test]
    fn a_walk_that_was_given_up_is_done_anew_and_one_that_was_done_is_not() {
        let base = std::env::temp_dir().join(format!("berth-relabel-again-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        std::fs::write(base.join("file"), "x").unwrap();
        assert_eq!(relabel_tree(&base, LABEL, &|| true), Err(Errno::CANCELED));
        assert_eq!(label_of(&base), "");
        relabel_tree(&base, LABEL, &|| false).unwrap();
        std::fs::write(base.join("later"), "x").unwrap();
        relabel_tree(&base, LABEL, &|| true).unwrap();
        assert_eq!((label_of(&base.join("file")).as_str(), label_of(&base.join("later")).as_str()), (LABEL, ""));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
