//! mountRootfs: a container's writable layer over its image's layers, and files looked up inside.

use super::call::Call;
use super::errors::failed;
use super::idmap::MappedLayers;
use super::messages::{MountRootfsAsk, MountRootfsReply};
use super::overlay::{Overlay, Writable, mount_overlay};
use super::{dirs, inside, mount};
use crate::frame::FrameError;
use rustix::fs::{CWD, FileType, Gid, Mode, OFlags, Uid, chmod, chown, fstat, openat, stat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

const FILE_MAX_BYTES: u64 = 1 << 20;

/// Makes upper, work and target, mounts, and reads the files asked for. On error nothing is left mounted or made.
pub fn mount_rootfs(ask: &MountRootfsAsk, call: &Call) -> Result<MountRootfsReply, FrameError> {
    let mut made = Vec::new();
    let mut mounted = false;
    let done = make_dirs(ask, &mut made).and_then(|()| {
        call.check()?;
        mounted = true;
        mount_layers(ask, &made)?;
        read_files(ask)
    });
    if done.is_err() {
        if mounted && let Err(error) = mount::unmount(&ask.target) {
            call.engine.outbox.log("warn", error.message);
        }
        dirs::unmake(&made);
    }
    done.map(|files| MountRootfsReply { files })
}

fn make_dirs(ask: &MountRootfsAsk, made: &mut Vec<PathBuf>) -> Result<(), FrameError> {
    if ask.lower.is_empty() {
        return Err(FrameError::new("invalid", format!("no layers to mount on {}", ask.target)));
    }
    let already = mount::is_mount_point(&ask.target);
    if already.is_ok_and(|mounted| mounted) {
        return Err(FrameError::new("exists", format!("{} is mounted already", ask.target)));
    }
    for dir in [&ask.upper, &ask.work, &ask.target] {
        dirs::make(Path::new(dir), 0o700, made).map_err(|error| failed(format!("make {dir}"), error))?;
    }
    Ok(())
}

/// Mounts the overlay; with a user namespace its layers show their ids as that maps them.
fn mount_layers(ask: &MountRootfsAsk, made: &[PathBuf]) -> Result<(), FrameError> {
    let mapped = ask.idmap.as_ref().map(|idmap| MappedLayers::new(&ask.lower, idmap)).transpose()?;
    let lower = mapped.as_ref().map_or(&ask.lower, MappedLayers::paths);
    if made.iter().any(|dir| dir == Path::new(&ask.upper)) {
        same_root(&lower[0], &ask.upper)
            .map_err(|error| failed(format!("give {} the owner and mode of {}", ask.upper, ask.lower[0]), error))?;
    }
    let writable = Some(Writable { upper: &ask.upper, work: &ask.work });
    mount_overlay(&Overlay { lower, writable, target: &ask.target, label: &ask.label })
}

/// A new upper directory's owner and mode are those of the container's `/`.
fn same_root(layer: &str, upper: &str) -> Result<(), Errno> {
    let root = stat(layer)?;
    chown(upper, Some(Uid::from_raw(root.st_uid)), Some(Gid::from_raw(root.st_gid)))?;
    chmod(upper, Mode::from_raw_mode(root.st_mode))
}

fn read_files(ask: &MountRootfsAsk) -> Result<BTreeMap<String, String>, FrameError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, ask.target.as_str(), flags, Mode::empty());
    let root = root.map_err(|error| failed(format!("open {}", ask.target), error))?;
    let mut files = BTreeMap::new();
    for path in &ask.read {
        let content = read_inside(&root, path).map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM) => FrameError::new("invalid", format!("{path} of the image is a pipe or a device")),
            _ => failed(format!("read {path} in {}", ask.target), error),
        })?;
        content.and_then(|content| files.insert(path.clone(), content));
    }
    Ok(files)
}

/// The regular file that `path` leads to for a process whose root is `root`; `None` when there is none, or one too big.
/// An image may put anything there, so nothing but a regular file is ever opened for reading; a pipe or device, which an
/// OCI runtime would read and wait for, is `PERM`.
fn read_inside(root: &OwnedFd, path: &str) -> std::io::Result<Option<String>> {
    let found = match inside::open(root, Path::new(path), OFlags::empty()) {
        Ok(found) => found,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let status = fstat(&found)?;
    match FileType::from_raw_mode(status.st_mode) {
        FileType::RegularFile if status.st_size as u64 <= FILE_MAX_BYTES => {}
        FileType::RegularFile | FileType::Directory => return Ok(None),
        _ => return Err(Errno::PERM.into()),
    }
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    let file = openat(CWD, again, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::new();
    File::from(file).take(FILE_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_an_image_lead_nowhere_but_into_it_and_only_regular_files_are_read() {
        let base = std::env::temp_dir().join(format!("berth-rootfs-{}", std::process::id()));
        std::fs::create_dir_all(base.join("etc")).unwrap();
        std::fs::write(base.join("etc/real"), "inside").unwrap();
        std::os::unix::fs::symlink("/../../../etc/real", base.join("etc/passwd")).unwrap();
        std::os::unix::fs::symlink("loop", base.join("loop")).unwrap();
        rustix::fs::mknodat(CWD, base.join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        std::fs::write(base.join("big"), vec![b'x'; FILE_MAX_BYTES as usize + 1]).unwrap();
        let root = openat(CWD, &base, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        assert_eq!(read_inside(&root, "/etc/passwd").unwrap().as_deref(), Some("inside"));
        for nothing in ["/none", "/etc/real/x", "/loop", "/etc", "/big"] {
            assert_eq!(read_inside(&root, nothing).unwrap(), None, "{nothing}");
        }
        assert_eq!(read_inside(&root, "/fifo").unwrap_err().raw_os_error(), Some(libc::EPERM));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
