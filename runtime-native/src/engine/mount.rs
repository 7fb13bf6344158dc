//! Mounts: tmpfs, what is mounted where, and their end.

use super::errors::failed;
use crate::frame::FrameError;
use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount as umount2};
use std::ffi::CString;

/// Mounts that lie on one another on one path at most (an overlay's layers may); more is somebody's loop.
const STACKED_MAX: usize = 1024;

/// Mounts a tmpfs with these options (tmpfs(5)) on the directory.
pub fn tmpfs(path: &str, flags: MountFlags, options: &str) -> Result<(), FrameError> {
    let doing = || format!("mount a tmpfs ({options}) on {path}");
    let data = CString::new(options).map_err(|_| failed(doing(), Errno::INVAL))?;
    mount("tmpfs", path, "tmpfs", flags, data.as_c_str()).map_err(|error| failed(doing(), error))
}

/// True when the path itself is the root of a mount.
pub fn is_mount_point(path: &str) -> Result<bool, Errno> {
    let found = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT, StatxFlags::empty())?;
    Ok(found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Takes every mount off the path, also busy ones; nothing mounted there, or no such path, is fine.
pub fn unmount(path: &str) -> Result<(), FrameError> {
    for _ in 0..STACKED_MAX {
        match umount2(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(Errno::INVAL | Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            Err(error) => return Err(failed(format!("unmount {path}"), error)),
        }
    }
    Err(FrameError::new("internal", format!("{path} still has mounts after {STACKED_MAX} unmounts")))
}

/// Takes a pinned namespace off its path and removes the file; one that is gone already is fine.
pub fn unpin(path: &str) -> Result<(), FrameError> {
    unmount(path)?;
    remove_file(path)
}

/// Removes a file; one that is gone already is fine.
pub fn remove_file(path: &str) -> Result<(), FrameError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(format!("remove {path}"), error)),
        _ => Ok(()),
    }
}
