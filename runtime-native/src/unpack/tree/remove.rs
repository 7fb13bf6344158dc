//! An earlier entry makes way for a later one of the same name.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;

use super::tally::{DIRECTORY_SIZE, Tally};

/// Directories within each other that are removed; each holds a descriptor open.
const DEPTH: usize = 512;

/// Removes `name` in `above` with all that it holds.
pub fn remove(above: BorrowedFd<'_>, name: &[u8], tally: &mut Tally) -> Result<(), Errno> {
    remove_at_depth(above, name, tally, 0)
}

/// Removes `name` in `above` with all that it holds, of a tree that is complete.
pub fn discard(above: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    remove(above, name, &mut Tally::new(u64::MAX))
}

fn remove_at_depth(above: BorrowedFd<'_>, name: &[u8], tally: &mut Tally, depth: usize) -> Result<(), Errno> {
    if depth > DEPTH {
        return Err(Errno::NAMETOOLONG);
    }
    let stat = statat(above, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if !FileType::from_raw_mode(stat.st_mode).is_dir() {
        unlinkat(above, name, AtFlags::empty())?;
        if stat.st_nlink == 1 {
            let is_file = FileType::from_raw_mode(stat.st_mode).is_file();
            // Holes were never counted.
            let on_disk = (stat.st_size as u64).min(stat.st_blocks as u64 * 512);
            tally.subtract(if is_file { on_disk } else { 0 });
        }
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(above, name, flags, Mode::empty())?;
    for entry in Dir::read_from(&directory)? {
        let entry = entry?;
        let child = entry.file_name().to_bytes();
        if child != b"." && child != b".." {
            remove_at_depth(directory.as_fd(), child, tally, depth + 1)?;
        }
    }
    unlinkat(above, name, AtFlags::REMOVEDIR)?;
    tally.subtract(DIRECTORY_SIZE);
    Ok(())
}
