//! One entry of each kind, made.

use std::fs::File;
use std::io::{self, BufRead, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, linkat, makedev, mknodat, openat, statat, symlinkat};
use rustix::io::Errno;

use super::failure::failed;
use super::metadata::Metadata;
use super::place::Place;
use super::tally::ALLOCATION_BYTES;
use super::write_back::WriteBack;
use super::{Tree, directory, remove, whiteout};
use crate::frame::FrameError;
use crate::unpack::sums::Summing;
use crate::unpack::tar::{Archive, Entry, Kind, Sparse, quoted};

/// Where an entry goes: `name` in the directory `parent`; `path` is both.
pub struct Spot {
    pub parent: Vec<u8>,
    pub name: Vec<u8>,
    pub path: Vec<u8>,
}

impl Tree {
    /// Makes what `entry` says at `spot`; an earlier entry of that name makes way.
    pub(super) fn make<R: BufRead>(
        &mut self,
        entry: &Entry,
        spot: &Spot,
        archive: &mut Archive<R>,
    ) -> Result<(), FrameError> {
        match &entry.kind {
            Kind::Directory => self.directory(entry, spot),
            Kind::File => self.file(entry, spot, archive),
            Kind::Symlink(target) => self.symlink(entry, spot, target),
            Kind::Hardlink(target) => self.hardlink(entry, spot, target),
            Kind::CharDevice(major, minor) => self.node(entry, spot, FileType::CharacterDevice, (*major, *minor)),
            Kind::BlockDevice(major, minor) => self.node(entry, spot, FileType::BlockDevice, (*major, *minor)),
            Kind::Fifo => self.node(entry, spot, FileType::Fifo, (0, 0)),
        }
    }

    fn directory(&mut self, entry: &Entry, spot: &Spot) -> Result<(), FrameError> {
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        let there = statat(above, spot.name.as_slice(), AtFlags::SYMLINK_NOFOLLOW);
        let in_the_way =
            there.is_ok_and(|stat| !FileType::from_raw_mode(stat.st_mode).is_dir() && !whiteout::is_whiteout(&stat));
        if in_the_way {
            self.clear(spot)?;
        }
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        directory::make(above, &spot.name, &spot.path, &mut self.tally)?;
        self.pending.note(spot.path.clone(), Metadata::of(entry))
    }

    fn file<R: BufRead>(&mut self, entry: &Entry, spot: &Spot, archive: &mut Archive<R>) -> Result<(), FrameError> {
        self.limits.check_file(entry.sparse.as_ref().map_or(entry.size, |sparse| sparse.size))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let inode = self.fresh(spot, |above, name| openat(above, name, flags, Mode::from(0o600)))?;
        self.tally.add(entry.sparse.as_ref().map_or(entry.size, |sparse| sparse.allocated(ALLOCATION_BYTES)))?;
        let mut file = File::from(inode);
        match &entry.sparse {
            None => {
                let mut summing = Summing::new(WriteBack::new(&mut file));
                copy_data(&mut summing, u64::MAX, &spot.path, archive)?;
                self.sums.note(&spot.name, entry.size, Some(summing.sum()))?;
            }
            Some(sparse) => {
                copy_parts(&mut file, sparse, &spot.path, archive)?;
                self.sums.note(&spot.name, sparse.size, None)?;
            }
        }
        Metadata::of(entry).apply(file.as_fd(), &spot.path)
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

    /// One more name for an inode of this layer; what the entry says of mode, owner and time becomes the inode's, as with
    /// every later entry of one path.
    fn hardlink(&mut self, entry: &Entry, spot: &Spot, target: &[u8]) -> Result<(), FrameError> {
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
        self.fresh(spot, |above, link| linkat(&origin, name.as_slice(), above, link, AtFlags::empty()))?;
        let above = self.parents.open(&spot.parent, &mut self.tally)?;
        let metadata = Metadata::again(entry, &inode);
        match FileType::from_raw_mode(inode.st_mode) {
            FileType::RegularFile => {
                self.sums.note(&spot.name, inode.st_size as u64, None)?;
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let opened =
                    openat(above, spot.name.as_slice(), flags, Mode::empty()).map_err(failed("open", &spot.path))?;
                metadata.apply(opened.as_fd(), &spot.path)
            }
            FileType::Symlink => metadata.apply_to_symlink(above, &spot.name, &spot.path),
            _ if whiteout::is_whiteout(&inode) => Ok(()),
            _ => metadata.apply_to_node(above, &spot.name, &spot.path),
        }
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
        self.sums.blur();
        Ok(())
    }
}

/// Writes the parts of a sparse file; what lies between them takes no room on the disk.
fn copy_parts<R: BufRead>(
    file: &mut File,
    sparse: &Sparse,
    path: &[u8],
    archive: &mut Archive<R>,
) -> Result<(), FrameError> {
    for (offset, length) in &sparse.parts {
        file.seek(SeekFrom::Start(*offset)).map_err(|error| unwritten(path, &error))?;
        copy_data(file, *length, path, archive)?;
    }
    file.set_len(sparse.size).map_err(|error| unwritten(path, &error))
}

/// Writes the next `length` bytes of data, or all there are.
fn copy_data<R: BufRead>(
    file: &mut impl Write,
    length: u64,
    path: &[u8],
    archive: &mut Archive<R>,
) -> Result<(), FrameError> {
    let mut left = length;
    while left > 0 {
        let part = archive.fill_data()?;
        let count = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if count == 0 {
            break;
        }
        file.write_all(&part[..count]).map_err(|error| unwritten(path, &error))?;
        archive.consume_data(count);
        left -= count as u64;
    }
    file.flush().map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &[u8], error: &io::Error) -> FrameError {
    failed("write", path)(Errno::from_io_error(error).unwrap_or(Errno::IO))
}
