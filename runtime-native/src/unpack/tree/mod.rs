//! The tree of a layer: each entry of the archive put in its place, nothing outside ever touched.

mod directory;
mod failure;
mod metadata;
mod parents;
mod place;
mod remove;
mod tally;
mod whiteout;

use std::fs::File;
use std::io::{BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, linkat, makedev, mkdirat, mknodat, open, openat,
    statat, symlinkat,
};
use rustix::io::Errno;

use self::directory::Pending;
use self::failure::failed;
use self::metadata::Metadata;
use self::parents::Parents;
use self::place::{Place, join};
use self::tally::{DIRECTORY_SIZE, Tally};
use super::limits::{Limits, exceeded};
use super::tar::{Archive, Entry, Kind, quoted};
use crate::frame::FrameError;

/// A layer's tree while it grows.
pub struct Tree {
    parents: Parents,
    pending: Pending,
    tally: Tally,
    entries: u64,
    entry_limit: u64,
}

/// Where an entry goes: `name` in the directory `parent`; `path` is both.
struct Spot {
    parent: Vec<u8>,
    name: Vec<u8>,
    path: Vec<u8>,
}

impl Tree {
    /// Makes the directory `target` (0755, root's) to hold the tree; `exists` when there is something already.
    pub fn create(target: &str, limits: Limits) -> Result<Self, FrameError> {
        let failure = failed("make the layer's directory", target.as_bytes());
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
        Ok(Self { parents: Parents::new(root), pending, tally, entries: 0, entry_limit: limits.entries })
    }

    /// Puts one entry in its place; its data is read off `archive`.
    pub fn place<R: BufRead>(&mut self, entry: &Entry, archive: &mut Archive<R>) -> Result<(), FrameError> {
        self.entries += 1;
        if self.entries > self.entry_limit {
            return Err(exceeded("entries", self.entry_limit));
        }
        match Place::of(&entry.name)? {
            Place::Ignored => Ok(()),
            Place::Root if entry.kind == Kind::Directory => self.pending.note(Vec::new(), Metadata::of(entry)),
            Place::Root => Err(FrameError::new("invalid", "the top of the layer is not a directory")),
            Place::Opaque { parent } => {
                directory::make_opaque(self.parents.open(&parent, &mut self.tally)?, &parent)
            }
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

    /// Sets what had to wait for the last entry, and returns what the tree holds: inodes and bytes on disk.
    pub fn finish(self) -> Result<(u64, u64), FrameError> {
        self.pending.apply(&self.parents)?;
        Ok((self.tally.inodes, self.tally.used_bytes))
    }

    fn make<R: BufRead>(&mut self, entry: &Entry, spot: &Spot, archive: &mut Archive<R>) -> Result<(), FrameError> {
        match &entry.kind {
            Kind::Directory => self.directory(entry, spot),
            Kind::File => self.file(entry, spot, archive),
            Kind::Symlink(target) => self.symlink(entry, spot, target),
            Kind::Hardlink(target) => self.hardlink(spot, target),
            Kind::CharDevice(major, minor) => self.node(entry, spot, FileType::CharacterDevice, (*major, *minor)),
            Kind::BlockDevice(major, minor) => self.node(entry, spot, FileType::BlockDevice, (*major, *minor)),
            Kind::Fifo => self.node(entry, spot, FileType::Fifo, (0, 0)),
        }
    }

    fn directory(&mut self, entry: &Entry, spot: &Spot) -> Result<(), FrameError> {
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        let there = statat(above, spot.name.as_slice(), AtFlags::SYMLINK_NOFOLLOW);
        let in_the_way = there.is_ok_and(|stat| {
            !FileType::from_raw_mode(stat.st_mode).is_dir() && !whiteout::is_whiteout(&stat)
        });
        if in_the_way {
            self.clear(spot)?;
        }
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        directory::make(above, &spot.name, &spot.path, &mut self.tally)?;
        self.pending.note(spot.path.clone(), Metadata::of(entry))
    }

    fn file<R: BufRead>(&mut self, entry: &Entry, spot: &Spot, archive: &mut Archive<R>) -> Result<(), FrameError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inode = self.fresh(spot, |above, name| openat(above, name, flags, Mode::from(0o600)))?;
        self.tally.add(entry.size)?;
        let inode = copy_data(inode, &spot.path, archive)?;
        Metadata::of(entry).apply(inode.as_fd(), &spot.path)
    }

    fn symlink(&mut self, entry: &Entry, spot: &Spot, target: &[u8]) -> Result<(), FrameError> {
        if target.is_empty() {
            return Err(FrameError::new("invalid", format!("symlink {} leads to nothing", quoted(&spot.path))));
        }
        self.fresh(spot, |above, name| symlinkat(target, above, name))?;
        self.tally.add(0)?;
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        Metadata::of(entry).apply_to_symlink(above, &spot.name, &spot.path)
    }

    fn node(&mut self, entry: &Entry, spot: &Spot, kind: FileType, device: (u32, u32)) -> Result<(), FrameError> {
        let device = makedev(device.0, device.1);
        self.fresh(spot, |above, name| mknodat(above, name, kind, Mode::from(0o600), device))?;
        self.tally.add(0)?;
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        Metadata::of(entry).apply_to_node(above, &spot.name, &spot.path)
    }

    /// One more name for an inode of this layer. The link's own mode and owner are not applied: they are the inode's.
    fn hardlink(&mut self, spot: &Spot, target: &[u8]) -> Result<(), FrameError> {
        let missing = |_| {
            let message = format!("hard link {} to {}, which is not in the layer", quoted(&spot.path), quoted(target));
            FrameError::new("corrupt", message)
        };
        let Place::At { parent, name } = Place::of(target)? else { return Err(missing(Errno::NOENT)) };
        let origin = self.parents.find(&parent).map_err(missing)?;
        let inode = statat(&origin, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW).map_err(missing)?;
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        let there = statat(above, spot.name.as_slice(), AtFlags::SYMLINK_NOFOLLOW);
        if there.is_ok_and(|there| there.st_ino == inode.st_ino && there.st_dev == inode.st_dev) {
            return Ok(());
        }
        self.fresh(spot, |above, link| linkat(&origin, name.as_slice(), above, link, AtFlags::empty()))
    }

    /// Runs `make`; when the name is taken, what has it is removed first.
    fn fresh<T>(
        &mut self,
        spot: &Spot,
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> Result<T, FrameError> {
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        let outcome = match make(above, &spot.name) {
            Err(Errno::EXIST) => {
                self.clear(spot)?;
                make(self.parents.open(&spot.parent, &mut self.tally)?, &spot.name)
            }
            outcome => outcome,
        };
        outcome.map_err(failed("make", &spot.path))
    }

    fn clear(&mut self, spot: &Spot) -> Result<(), FrameError> {
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        remove::remove(above, &spot.name, &mut self.tally).map_err(failed("replace", &spot.path))?;
        self.parents.forget();
        self.pending.forget(&spot.path);
        Ok(())
    }
}

fn copy_data<R: BufRead>(inode: OwnedFd, path: &[u8], archive: &mut Archive<R>) -> Result<File, FrameError> {
    let mut file = File::from(inode);
    loop {
        let part = archive.fill_data()?;
        let count = part.len();
        if count == 0 {
            return Ok(file);
        }
        file.write_all(part)
            .map_err(|error| failed("write", path)(Errno::from_io_error(&error).unwrap_or(Errno::IO)))?;
        archive.consume_data(count);
    }
}
