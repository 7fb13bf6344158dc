//! Trees packed, and unpacked again.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{XattrFlags, lgetxattr, setxattr};

use super::{PackLayerAsk, PackedLayer, pack_layer};
use crate::frame::FrameError;
use crate::unpack::OPAQUE;
use crate::unpack::tests::archive::{Item, directory, extension, file, hardlink, pax, symlink, tar};
use crate::unpack::tests::scratch::{Scratch, unpacked};

fn pack(scratch: &Scratch) -> Result<(PackedLayer, Vec<u8>), FrameError> {
    let target = scratch.outside_at("packed.tar");
    let ask = PackLayerAsk { directory: text(&scratch.layer()), target: text(&target) };
    let packed = pack_layer(&ask, &|| Ok(()))?;
    Ok((packed, fs::read(target).unwrap()))
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Every path below `top` with all that a tar tells of it, names of hard links replaced by the first.
fn told(top: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = vec![PathBuf::new()];
    let mut inodes: Vec<(u64, PathBuf)> = Vec::new();
    while let Some(path) = left.pop() {
        let at = top.join(&path);
        let stat = fs::symlink_metadata(&at).unwrap();
        if stat.is_dir() {
            left.extend(fs::read_dir(&at).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
            left.sort_by(|one, other| other.cmp(one));
        }
        if !inodes.iter().any(|(inode, _)| *inode == stat.ino()) {
            inodes.push((stat.ino(), path.clone()));
        }
        let first = &inodes.iter().find(|(inode, _)| *inode == stat.ino()).unwrap().1;
        let content = if stat.is_file() { fs::read(&at).unwrap() } else { Vec::new() };
        let link = fs::read_link(&at).unwrap_or_default();
        let mut value = [0; 64];
        let xattrs = [OPAQUE, "user.a", "security.capability"]
            .map(|name| lgetxattr(&at, name, &mut value).ok().map(|length| value[..length].to_vec()));
        let whiteout = stat.mode() & 0o170_000 == 0o020_000 && stat.rdev() == 0;
        let time = if path.as_os_str().is_empty() || whiteout { (0, 0) } else { (stat.mtime(), stat.mtime_nsec()) };
        let owner = (stat.uid(), stat.gid(), stat.rdev());
        lines.push(format!("{path:?} {:o} {owner:?} {time:?} {first:?} {link:?} {content:?} {xattrs:?}", stat.mode()));
    }
    lines
}

fn everything() -> Vec<u8> {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(150));
    let times = pax(&[("mtime", b"12.000000345"), ("SCHILY.xattr.user.a", b"\0=\n"), ("uid", b"3000000000")]);
    let before = pax(&[("mtime", b"-1.25")]);
    tar(&[
        Item { mtime: 7, mode: 0o1777, ..directory("tmp/") },
        Item { owner: (1000, 50), mode: 0o4755, ..file("tmp/setuid", b"#!") },
        file("tmp/empty", b""),
        file("z", &[b'z'; 1000]),
        hardlink("a-link", "z"),
        symlink("absolute", "/etc/passwd"),
        Item { kind: b'6', mode: 0o600, ..file("fifo", b"") },
        Item { kind: b'3', device: (1, 3), mode: 0o666, ..file("null", b"") },
        Item { kind: b'4', device: (259, 300), ..file("disk", b"") },
        file("gone/.wh.file", b""),
        directory("hides/"),
        file("hides/.wh..wh..opq", b""),
        file("hides/kept", b"1"),
        extension(b'L', format!("{long}\0").as_bytes()),
        file("x", b"long"),
        extension(b'x', &times),
        file("timed", b"2"),
        extension(b'x', &before),
        file("old", b"3"),
        file("umlaut-\u{fc}", b"4"),
    ])
}

#[test]
fn a_tree_packed_and_unpacked_is_the_same_tree_and_packs_to_the_same_bytes() {
    let first = unpacked(&everything());
    let (packed, archive) = pack(&first).unwrap();
    assert_eq!(packed.size_bytes, archive.len() as u64);
    assert_eq!(packed.digest, crate::unpack::tests::transfer::hex("sha256", &archive));
    let second = unpacked(&archive);
    assert_eq!(told(&second.layer()), told(&first.layer()));
    assert!(told(&first.layer()).len() > 18);
    assert_eq!(pack(&second).unwrap(), (packed, archive));
}

#[test]
fn what_the_top_has_of_its_own_is_kept() {
    let first = unpacked(&tar(&[Item { mode: 0o700, owner: (5, 6), ..directory("./") }, file("f", b"")]));
    let second = unpacked(&pack(&first).unwrap().1);
    let stat = fs::metadata(second.layer()).unwrap();
    assert_eq!((stat.mode() & 0o7777, stat.uid(), stat.gid()), (0o700, 5, 6));
    let plain = unpacked(&tar(&[file("f", b"")]));
    assert!(!pack(&plain).unwrap().1.starts_with(b"./"));
}

#[test]
fn attributes_of_the_machine_do_not_leave_it() {
    let scratch = unpacked(&tar(&[directory("d/"), file("d/f", b"1")]));
    let (before, _) = pack(&scratch).unwrap();
    fs::remove_file(scratch.outside_at("packed.tar")).unwrap();
    setxattr(scratch.at("d").as_os_str().as_bytes(), "trusted.overlay.redirect", b"/x", XattrFlags::empty()).unwrap();
    setxattr(scratch.at("d").as_os_str().as_bytes(), "user.overlay.opaque", b"y", XattrFlags::empty()).unwrap();
    assert_eq!(pack(&scratch).unwrap().0, before);
}

#[test]
fn a_target_that_is_there_stays_and_a_cancelled_pack_leaves_nothing() {
    let scratch = unpacked(&everything());
    let target = scratch.outside_at("packed.tar");
    fs::write(&target, "precious").unwrap();
    assert_eq!(pack(&scratch).unwrap_err().kind, "exists");
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    fs::remove_file(&target).unwrap();
    let ask = PackLayerAsk { directory: text(&scratch.layer()), target: text(&target) };
    let left = std::cell::Cell::new(9);
    let check = || {
        left.set(left.get() - 1);
        if left.get() > 0 { Ok(()) } else { Err(FrameError::new("cancelled", "cancelled by the caller")) }
    };
    assert_eq!(pack_layer(&ask, &check).unwrap_err().kind, "cancelled");
    assert!(!target.exists());
    let absent = PackLayerAsk { directory: format!("{}/absent", text(&target)), ..ask };
    assert_eq!(pack_layer(&absent, &|| Ok(())).unwrap_err().kind, "not-found");
}
