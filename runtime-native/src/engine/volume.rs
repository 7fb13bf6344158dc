//! What of images is mounted into containers besides their root: image volumes, and the directories that an image
//! declares as volumes.

use super::call::Call;
use super::errors::failed;
use super::idmap::MappedLayers;
use super::inside::{self, Owner};
use super::messages::{MakeVolumesAsk, MakeVolumesReply, MountImageAsk, MountImageReply};
use super::overlay::{Overlay, mount_overlay};
use super::{dirs, mount};
use crate::frame::FrameError;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Makes the target, mounts the layers on it read-only and finds the sub path. On error nothing is left mounted or made.
pub fn mount_image(ask: &MountImageAsk, call: &Call) -> Result<MountImageReply, FrameError> {
    if mount::is_mount_point(&ask.target).is_ok_and(|mounted| mounted) {
        return Err(FrameError::new("exists", format!("{} is mounted already", ask.target)));
    }
    let mut made = Vec::new();
    let target = Path::new(&ask.target);
    let done = dirs::make(target, 0o700, &mut made)
        .map_err(|error| failed(format!("make {}", ask.target), error))
        .and_then(|()| mount_layers(ask))
        .and_then(|()| find(ask));
    if done.is_err() {
        if let Err(error) = mount::unmount(&ask.target) {
            call.engine.outbox.log("warn", error.message);
        }
        dirs::unmake(&made);
    }
    done.map(|path| MountImageReply { path })
}

/// A read-only overlay takes two layers at least: the empty target itself is the lowest.
fn mount_layers(ask: &MountImageAsk) -> Result<(), FrameError> {
    let mapped = ask.idmap.as_ref().map(|idmap| MappedLayers::new(&ask.lower, idmap)).transpose()?;
    let layers = mapped.as_ref().map_or(&ask.lower, MappedLayers::paths);
    let lower: Vec<String> = layers.iter().chain([&ask.target]).cloned().collect();
    if lower.len() < 2 {
        return Err(FrameError::new("invalid", format!("no layers to mount on {}", ask.target)));
    }
    mount_overlay(&Overlay { lower: &lower, writable: None, target: &ask.target, label: &ask.label })
}

/// Nothing in an image changes, so a path found once stays what it is.
fn find(ask: &MountImageAsk) -> Result<String, FrameError> {
    if ask.sub_path.is_empty() {
        return Ok(ask.target.clone());
    }
    let looked_up = || -> Result<String, Errno> {
        let found = inside::open(&root(&ask.target)?, Path::new(&ask.sub_path), OFlags::empty())?;
        match FileType::from_raw_mode(fstat(&found)?.st_mode) {
            FileType::Directory | FileType::RegularFile => inside::shown(&found),
            _ => Err(Errno::NOTDIR),
        }
    };
    looked_up().map_err(|error| failed(format!("find {} in the image", ask.sub_path), error))
}

/// Makes each directory inside the rootfs where it is missing, and says where it lies.
pub fn make_volumes(ask: &MakeVolumesAsk, call: &Call) -> Result<MakeVolumesReply, FrameError> {
    let root = root(&ask.rootfs).map_err(|error| failed(format!("open {}", ask.rootfs), error))?;
    let owner = Owner { uid: ask.uid, gid: ask.gid };
    let make = |path: &String| {
        call.check()?;
        inside::make_directory(&root, Path::new(path), owner)
            .and_then(|made| inside::shown(&made))
            .map_err(|error| failed(format!("make the directory of volume {path}"), error))
    };
    ask.volumes.iter().map(make).collect::<Result<_, _>>().map(|paths| MakeVolumesReply { paths })
}

fn root(path: &str) -> Result<OwnedFd, Errno> {
    openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}
