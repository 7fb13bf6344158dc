//! Layers whose ids are shown as a user namespace maps them (idmapped mounts), so that a container with one needs no
//! copy of its image. The overlay clones these mounts when it is mounted; they are not needed after that.

use super::call::Call;
use super::errors::failed;
use super::messages::{LayersIdmap, TryIdmapAsk, TryIdmapReply};
use super::overlay::{Overlay, Writable, mount_overlay};
use super::{dirs, mount};
use crate::frame::FrameError;
use crate::mount_setattr::map_ids;
use crate::user_namespace::{IdMapping, IdMappings, Inhabitant};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use rustix::thread::UnshareFlags;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// The layers, all mounted on one path, one on another: only held by their descriptors can those below be found.
pub struct MappedLayers {
    paths: Vec<String>,
    _mounts: Vec<OwnedFd>,
    stage: String,
}

impl MappedLayers {
    /// Mounts the layers with the ids of the user namespace. On error nothing is left.
    pub fn new(layers: &[String], by: &LayersIdmap) -> Result<Self, FrameError> {
        let path = by.user_namespace.as_str();
        let user = openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| failed(format!("open user namespace {path}"), error))?;
        dirs::make(Path::new(&by.stage), 0o700, &mut Vec::new())
            .map_err(|error| failed(format!("make {}", by.stage), error))?;
        let mut mapped = Self { paths: Vec::new(), _mounts: Vec::new(), stage: by.stage.clone() };
        for layer in layers {
            let mount = mapped_mount(layer, user.as_fd(), &by.stage).map_err(|error| refusal(layer, error))?;
            mapped.paths.push(format!("/proc/self/fd/{}", mount.as_raw_fd()));
            mapped._mounts.push(mount);
        }
        Ok(mapped)
    }

    /// The layers by descriptor, in their order.
    pub fn paths(&self) -> &Vec<String> {
        &self.paths
    }
}

impl Drop for MappedLayers {
    fn drop(&mut self) {
        let _ = mount::unmount(&self.stage);
        let _ = std::fs::remove_dir(&self.stage);
    }
}

fn mapped_mount(layer: &str, user: BorrowedFd, stage: &str) -> Result<OwnedFd, Errno> {
    let mount = open_tree(CWD, layer, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC)?;
    map_ids(mount.as_fd(), user)?;
    move_mount(&mount, "", CWD, stage, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
    Ok(mount)
}

fn refusal(layer: &str, error: Errno) -> FrameError {
    let message = format!("map the ids of layer {layer}: {error}");
    let unable = matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP);
    FrameError::new(if unable { "unsupported" } else { "internal" }, message)
}

/// Tells what stands in the way of user namespaces with images below `dir`; empty when nothing does.
pub fn try_idmap(ask: &TryIdmapAsk, _call: &Call) -> Result<TryIdmapReply, FrameError> {
    // Always the same: what an engine left that was killed here is in the way of the next trial, which takes it away.
    let dir = format!("{}/idmap-trial", ask.dir);
    clear_away(&dir);
    let tried = mount_once(&dir);
    clear_away(&dir);
    Ok(TryIdmapReply { obstacle: tried.err().map(|error| error.message).unwrap_or_default() })
}

fn clear_away(dir: &str) {
    for name in ["target", "stage"] {
        let _ = mount::unmount(&format!("{dir}/{name}"));
    }
    let _ = std::fs::remove_dir_all(dir);
}

/// An overlay in miniature, with a layer whose ids are mapped.
fn mount_once(dir: &str) -> Result<(), FrameError> {
    let map = IdMapping { container_id: 0, host_id: 1 << 16, size: 1 << 16 };
    let mappings = IdMappings { uids: vec![map], gids: vec![map] };
    let inhabitant =
        Inhabitant::new(&mappings, UnshareFlags::empty()).map_err(|error| failed("make a user namespace", error))?;
    let user = inhabitant.namespace("user").map_err(|error| failed("open a user namespace", error))?;
    let [lower, upper, work, target, stage] =
        ["lower", "upper", "work", "target", "stage"].map(|name| format!("{dir}/{name}"));
    for path in [&lower, &upper, &work, &target] {
        dirs::make(Path::new(path), 0o700, &mut Vec::new()).map_err(|error| failed(format!("make {path}"), error))?;
    }
    let by = LayersIdmap { user_namespace: format!("/proc/self/fd/{}", user.as_raw_fd()), stage };
    let mapped = MappedLayers::new(&[lower], &by)?;
    let writable = Some(Writable { upper: &upper, work: &work });
    mount_overlay(&Overlay { lower: mapped.paths(), writable, target: &target, label: "" })
}
