//! Whiteouts in overlayfs' form: a character device 0:0 (kernel, overlayfs, "whiteouts and opaque directories").

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, Mode, OFlags, Stat, makedev, mknodat, openat};
use rustix::io::Errno;

use super::directory::make_opaque;
use super::failure::failed;
use super::tally::Tally;
use crate::frame::FrameError;

/// Hides `name` of the layers below. Where the layer has an entry of that name itself, that entry hides it already; a
/// directory must become opaque to do so.
pub fn hide(above: BorrowedFd<'_>, name: &[u8], path: &[u8], tally: &mut Tally) -> Result<(), FrameError> {
    match mknodat(above, name, FileType::CharacterDevice, Mode::empty(), makedev(0, 0)) {
        Ok(()) => return tally.add(0),
        Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed("make whiteout", path)(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(above, name, flags, Mode::empty()) {
        Ok(directory) => make_opaque(directory.as_fd(), path),
        Err(Errno::NOTDIR | Errno::LOOP) => Ok(()),
        Err(errno) => Err(failed("make whiteout", path)(errno)),
    }
}

pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_char_device() && stat.st_rdev == makedev(0, 0)
}
