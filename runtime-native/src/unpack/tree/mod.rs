//! The tree of a layer: each entry of the archive put in its place, nothing outside ever touched.

mod directory;
mod failure;
mod make;
mod metadata;
mod parents;
mod place;
mod remove;
mod tally;
mod whiteout;
mod write_back;

use std::io::BufRead;
use std::path::Path;

use rustix::fs::{CWD, Gid, IFlags, Mode, OFlags, Uid, fchmod, fchown, ioctl_getflags, ioctl_setflags, mkdirat, open};
use rustix::io::Errno;

use self::directory::Pending;
use self::make::Spot;
use self::metadata::Metadata;
use self::parents::Parents;
use self::place::{Place, join};
use self::tally::{DIRECTORY_SIZE, Tally};
use super::limits::{Limits, set_by};
use super::sums::Sums;
use super::tar::{Archive, Entry, Kind};
use crate::frame::FrameError;

pub use self::directory::OPAQUE;
pub use self::failure::failed;
pub use self::metadata::is_kept;
pub use self::remove::discard;
pub use self::whiteout::is_whiteout;

/// What a complete tree holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Contents {
    pub inodes: u64,
    /// On disk, files rounded up to whole blocks.
    pub used_bytes: u64,
    /// Directories that were made because something lies in them, not because an entry names them; those with names of
    /// UTF-8.
    pub implied: Vec<String>,
}

/// A layer's tree while it grows.
pub struct Tree {
    parents: Parents,
    pending: Pending,
    tally: Tally,
    entries: u64,
    limits: Limits,
    sums: Sums,
}

impl Tree {
    /// Makes the directory `target` (0755, root's) to hold the tree; `exists` when there is something already.
    pub fn create(target: &str, limits: Limits) -> Result<Self, FrameError> {
        let failure = failed("make the layer's directory", target.as_bytes());
        spread(Path::new(target).parent().unwrap_or(Path::new("/")));
        match mkdirat(CWD, target, Mode::from(0o700)) {
            Err(Errno::EXIST) => return Err(FrameError::new("exists", format!("{target} exists already"))),
            outcome => outcome.map_err(&failure)?,
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = open(target, flags, Mode::empty()).map_err(&failure)?;
        fchown(&root, Some(Uid::ROOT), Some(Gid::ROOT)).map_err(&failure)?;
        fchmod(&root, Mode::from(0o755)).map_err(&failure)?;
        let mut tally = Tally::new(limits.inodes);
        tally.add(DIRECTORY_SIZE)?;
        let pending = Pending::new(limits.directory_name_bytes);
        Ok(Self { parents: Parents::new(root), pending, tally, entries: 0, limits, sums: Sums::create("")? })
    }

    /// From now on notes in the new file `path` what the files hold; empty for nowhere.
    pub fn keep_sums(&mut self, path: &str) -> Result<(), FrameError> {
        self.sums = Sums::create(path)?;
        Ok(())
    }

    /// Puts one entry in its place; its data is read off `archive`.
    pub fn place<R: BufRead>(&mut self, entry: &Entry, archive: &mut Archive<R>) -> Result<(), FrameError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(set_by("layer-entries", "entries", self.limits.entries));
        }
        match Place::of(&entry.name)? {
            Place::Ignored => Ok(()),
            Place::Root if entry.kind == Kind::Directory => self.pending.note(Vec::new(), Metadata::of(entry)),
            Place::Root => Err(FrameError::new("invalid", "the top of the layer is not a directory")),
            Place::Opaque { parent } => directory::make_opaque(self.parents.open(&parent, &mut self.tally)?, &parent),
            Place::Whiteout { parent, name } => {
                let above = self.parents.open(&parent, &mut self.tally)?;
                whiteout::hide(above, &name, &join(&parent, &name), &mut self.tally)
            }
            Place::At { parent, name } => {
                let path = join(&parent, &name);
                self.make(entry, &Spot { parent, name, path }, archive)
            }
        }
    }

    /// Sets what had to wait for the last entry, and returns what the tree holds.
    pub fn finish(mut self) -> Result<Contents, FrameError> {
        let implied = self.parents.implied().filter(|path| !self.pending.names(path));
        let implied: Vec<_> = implied.filter_map(|path| String::from_utf8(path.clone()).ok()).collect();
        // They may meet others of their name below, and then not all that is in them stays.
        if !implied.is_empty() {
            self.sums.blur();
        }
        self.sums.finish()?;
        self.pending.apply(&self.parents)?;
        let Tally { inodes, used_bytes, .. } = self.tally;
        Ok(Contents { inodes, used_bytes, implied })
    }
}

/// Has ext4 give each tree in `folder` a region of the disk of its own, so that layers that are unpacked side by side, or
/// soon after others were removed, do not search the same bitmaps (ext4(5), the attribute `T` of chattr(1)). Elsewhere
/// nothing happens.
fn spread(folder: &Path) {
    let Ok(opened) = open(folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) else { return };
    if let Ok(flags) = ioctl_getflags(&opened)
        && !flags.contains(IFlags::TOPDIR)
    {
        let _ = ioctl_setflags(&opened, flags | IFlags::TOPDIR);
    }
}
