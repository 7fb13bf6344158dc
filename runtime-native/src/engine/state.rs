//! The state directory: a private tmpfs, so that all it holds ends with the boot.

use super::call::Call;
use super::errors::failed;
use super::messages::{PrepareStateReply, ReleaseStateReply, StateAsk};
use super::mount;
use crate::frame::FrameError;
use rustix::fs::{Mode, chmod, statfs};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount_bind, mount_change, mount_remount, unmount,
};
use std::path::Path;

const TMPFS_MAGIC: u64 = 0x0102_1994;

/// Makes `dir` (0711) a private mount of its own, of a new tmpfs unless it lies on one, once no other engine works on it.
/// What lies there already on a tmpfs stays in sight: a service manager may have put its socket there.
pub fn prepare_state(ask: &StateAsk, call: &Call) -> Result<PrepareStateReply, FrameError> {
    let dir = ask.dir.as_str();
    super::dirs::make(Path::new(dir), 0o711, &mut Vec::new()).map_err(|error| failed(format!("make {dir}"), error))?;
    // What an engine that ends unmounts meanwhile is not the directory that was locked.
    let mut mounted = false;
    loop {
        mounted |= mount_tmpfs(dir)?;
        if !call.engine.state_lock.take(dir)? {
            let message = format!("the engine of an earlier berthd still works on {dir} and is waited for no longer");
            call.engine.outbox.log("warn", message);
            break;
        }
        if is_tmpfs_mount(dir).map_err(|error| failed(format!("look at {dir}"), error))? {
            break;
        }
        call.engine.state_lock.let_go();
    }
    mount_change(dir, MountPropagationFlags::PRIVATE).map_err(|error| failed(format!("make {dir} private"), error))?;
    Ok(PrepareStateReply { mounted })
}

/// True when the tmpfs is a new one.
fn mount_tmpfs(dir: &str) -> Result<bool, FrameError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    if !on_tmpfs(dir).map_err(|error| failed(format!("look at {dir}"), error))? {
        mount::tmpfs(dir, flags, "mode=0711")?;
        return Ok(true);
    }
    chmod(dir, Mode::from_raw_mode(0o711)).map_err(|error| failed(format!("chmod {dir}"), error))?;
    if !mount::is_mount_point(dir).map_err(|error| failed(format!("look at {dir}"), error))? {
        mount_bind(dir, dir)
            .and_then(|()| mount_remount(dir, MountFlags::BIND | flags, ""))
            .map_err(|error| failed(format!("mount {dir} on itself"), error))?;
    }
    Ok(false)
}

/// Unmounts a state directory that nothing uses; a busy one, or one that is not mounted, is left.
pub fn release_state(ask: &StateAsk, call: &Call) -> Result<ReleaseStateReply, FrameError> {
    let dir = ask.dir.as_str();
    call.engine.state_lock.let_go();
    let released = match is_tmpfs_mount(dir) {
        Ok(true) => match unmount(dir, UnmountFlags::NOFOLLOW) {
            Ok(()) => true,
            Err(Errno::BUSY) => false,
            Err(error) => return Err(failed(format!("unmount {dir}"), error)),
        },
        Ok(false) | Err(Errno::NOENT) => false,
        Err(error) => return Err(failed(format!("look at {dir}"), error)),
    };
    Ok(ReleaseStateReply { released })
}

fn is_tmpfs_mount(dir: &str) -> Result<bool, Errno> {
    Ok(mount::is_mount_point(dir)? && on_tmpfs(dir)?)
}

fn on_tmpfs(dir: &str) -> Result<bool, Errno> {
    Ok(statfs(dir)?.f_type as u64 == TMPFS_MAGIC)
}
