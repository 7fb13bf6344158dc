//! mount_setattr(2): attributes of a mount changed at its descriptor or path, which neither libc nor rustix wraps.
#![allow(unsafe_code)]

use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Makes the mount behind `mount` show ids as the user namespace maps them (MOUNT_ATTR_IDMAP, Linux 5.12).
/// The mount must be detached and new; EINVAL where its file system cannot do it.
pub fn map_ids(mount: BorrowedFd, user_namespace: BorrowedFd) -> Result<(), Errno> {
    let userns_fd = user_namespace.as_raw_fd() as u64;
    set(
        mount.as_raw_fd(),
        c"",
        &libc::mount_attr { attr_set: libc::MOUNT_ATTR_IDMAP, attr_clr: 0, propagation: 0, userns_fd },
    )
}

/// Adds these `MOUNT_ATTR_…` to the mount at `path`, keeping all it has.
pub fn add(path: &CStr, attributes: u64) -> Result<(), Errno> {
    set(libc::AT_FDCWD, path, &libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 })
}

fn set(directory: i32, path: &CStr, attributes: &libc::mount_attr) -> Result<(), Errno> {
    let flags = libc::AT_EMPTY_PATH;
    let size = size_of::<libc::mount_attr>();
    // SAFETY: path and attributes outlive the call; the size is that of the attributes.
    match unsafe {
        libc::syscall(libc::SYS_mount_setattr, directory, path.as_ptr(), flags, &raw const *attributes, size)
    } {
        0 => Ok(()),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}
