//! Overlay mounts: by the new mount interface where the kernel takes layers one by one (6.5), else by mount(2). They
//! are volatile (5.10): a writable layer never outlives the boot, so nothing of it is synced when it is unmounted.

use super::errors::failed;
use crate::frame::FrameError;
use crate::selinux::and_context;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, mount, move_mount,
};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

/// mount(2) copies one page of options.
const OPTIONS_MAX_BYTES: usize = 4095;

/// The directories of one overlay; `lower` has the topmost layer first. Layers may be named by descriptor
/// (`/proc/self/fd/N`). Without a writable layer it is read-only, and the kernel wants two layers at least.
pub struct Overlay<'a> {
    pub lower: &'a [String],
    pub writable: Option<Writable<'a>>,
    pub target: &'a str,
    /// SELinux label of all that is in it; empty for none.
    pub label: &'a str,
}

/// Where what is written into an overlay goes.
pub struct Writable<'a> {
    pub upper: &'a str,
    pub work: &'a str,
}

/// Mounts the overlay on its target.
pub fn mount_overlay(overlay: &Overlay) -> Result<(), FrameError> {
    match mount_by_layer(overlay) {
        Err(Refusal { error: Errno::INVAL | Errno::NOSYS | Errno::NODEV, .. }) => mount_by_options(overlay),
        Err(refusal) => {
            let doing = format!("mount an overlay on {}{}", overlay.target, refusal.reason);
            Err(failed(doing, refusal.error))
        }
        Ok(()) => Ok(()),
    }
}

/// An error number with what the kernel had to say.
struct Refusal {
    error: Errno,
    reason: String,
}

fn mount_by_layer(overlay: &Overlay) -> Result<(), Refusal> {
    let bare = |error| Refusal { error, reason: String::new() };
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).map_err(bare)?;
    let told = |error| Refusal { error, reason: reason(&context) };
    fsconfig_set_string(&context, "source", "overlay").map_err(told)?;
    if !overlay.label.is_empty() {
        fsconfig_set_string(&context, "context", overlay.label).map_err(told)?;
    }
    for layer in overlay.lower {
        fsconfig_set_string(&context, "lowerdir+", layer.as_str()).map_err(told)?;
    }
    let mut attributes = MountAttrFlags::MOUNT_ATTR_RDONLY;
    if let Some(Writable { upper, work }) = overlay.writable {
        for (key, value) in [("upperdir", upper), ("workdir", work), ("index", "off")] {
            fsconfig_set_string(&context, key, value).map_err(told)?;
        }
        fsconfig_set_flag(&context, "volatile").map_err(told)?;
        attributes = MountAttrFlags::empty();
    }
    fsconfig_create(&context).map_err(told)?;
    let made = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).map_err(told)?;
    move_mount(&made, "", CWD, overlay.target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH).map_err(bare)
}

/// The last message that the kernel left in the file system context (fsopen(2)), as ` (message)`.
fn reason(context: &OwnedFd) -> String {
    let mut last = String::new();
    let mut message = [0; 512];
    while let Ok(count) = rustix::io::read(context, &mut message) {
        last = format!(" ({})", String::from_utf8_lossy(&message[..count]).trim());
    }
    last
}

fn mount_by_options(overlay: &Overlay) -> Result<(), FrameError> {
    let plain: Vec<String> = overlay.lower.iter().map(|layer| escape(layer)).collect();
    let mut data = options(overlay, &plain);
    let mut held = Vec::new();
    if data.len() > OPTIONS_MAX_BYTES {
        held = hold(overlay.lower)?;
        let short: Vec<String> = held.iter().map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd())).collect();
        data = options(overlay, &short);
    }
    let doing = || format!("mount an overlay of {} layers on {}", overlay.lower.len(), overlay.target);
    if data.len() > OPTIONS_MAX_BYTES {
        return Err(FrameError::new("unsupported", format!("could not {}: too many layers for this kernel", doing())));
    }
    let data = CString::new(data).map_err(|_| failed(doing(), Errno::INVAL))?;
    let flags = if overlay.writable.is_some() { MountFlags::empty() } else { MountFlags::RDONLY };
    let mounted = mount("overlay", overlay.target, "overlay", flags, data.as_c_str());
    drop(held);
    mounted.map_err(|error| failed(doing(), error))
}

fn options(overlay: &Overlay, lower: &[String]) -> String {
    let (lower, context) = (lower.join(":"), and_context(overlay.label));
    let Some(Writable { upper, work }) = &overlay.writable else { return format!("lowerdir={lower}{context}") };
    format!("lowerdir={lower},upperdir={},workdir={},index=off,volatile{context}", escape(upper), escape(work))
}

/// Open layers have short names below /proc/self/fd.
fn hold(layers: &[String]) -> Result<Vec<OwnedFd>, FrameError> {
    let open = |layer: &String| {
        openat(CWD, layer.as_str(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| failed(format!("open layer {layer}"), error))
    };
    layers.iter().map(open).collect()
}

fn escape(path: &str) -> String {
    path.replace('\\', "\\\\").replace(':', "\\:").replace(',', "\\,")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mount::{UnmountFlags, unmount};

    #[test]
    fn a_kernel_without_layer_by_layer_mounts_takes_a_hundred_layers_all_the_same() {
        let base = std::env::temp_dir().join(format!("berth-overlay-{}", std::process::id()));
        let dir = |name: String| {
            std::fs::create_dir_all(base.join(&name)).unwrap();
            base.join(&name).to_str().unwrap().to_owned()
        };
        let lower: Vec<String> = (0..100).map(|at| dir(format!("layers/{at:0>64}"))).collect();
        let (upper, work, target) = (dir("upper".into()), dir("work".into()), dir("target".into()));
        std::fs::write(format!("{}/bottom", lower[99]), "x").unwrap();
        let writable = Some(Writable { upper: &upper, work: &work });
        let mounted = mount_by_options(&Overlay { lower: &lower, writable, target: &target, label: "" });
        let seen = std::fs::read_to_string(format!("{target}/bottom"));
        let _ = unmount(&target, UnmountFlags::DETACH);
        std::fs::remove_dir_all(&base).unwrap();
        mounted.unwrap();
        assert_eq!(seen.unwrap(), "x");
    }

    #[test]
    fn options_name_the_topmost_layer_first_and_escape_separators() {
        let lower = ["/l/top".to_owned(), "/l/a:b,c".to_owned()];
        let writable = Some(Writable { upper: "/u", work: "/w" });
        let mut overlay = Overlay { lower: &lower, writable, target: "/t", label: "" };
        let plain: Vec<String> = lower.iter().map(|layer| escape(layer)).collect();
        assert_eq!(options(&overlay, &plain), r"lowerdir=/l/top:/l/a\:b\,c,upperdir=/u,workdir=/w,index=off,volatile");
        overlay.writable = None;
        assert_eq!(options(&overlay, &plain), r"lowerdir=/l/top:/l/a\:b\,c");
        overlay.label = "u:r:t:s0:c1,c2";
        assert_eq!(options(&overlay, &plain), r#"lowerdir=/l/top:/l/a\:b\,c,context="u:r:t:s0:c1,c2""#);
    }
}
