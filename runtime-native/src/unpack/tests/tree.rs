//! What honest layers become.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::archive::{Item, directory, extension, file, hardlink, pax, symlink, tar};
use super::scratch::{names, unpack, unpacked};
use crate::unpack::limits::Limits;

fn xattr(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 256];
    let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
    Some(value[..length].to_vec())
}

fn is_whiteout(path: &Path) -> bool {
    let stat = fs::symlink_metadata(path).unwrap();
    stat.file_type().is_char_device() && stat.rdev() == 0
}

#[test]
fn files_directories_and_links_keep_data_mode_owner_and_time() {
    let archive = tar(&[
        Item { mode: 0o700, mtime: 5, ..directory("./") },
        Item { mode: 0o2750, owner: (7, 8), mtime: 6, ..directory("d/") },
        Item { mode: 0o4755, owner: (1000, 1001), mtime: 7, ..file("d/f", &[9; 70_000]) },
        Item { mode: 0o4711, owner: (1000, 1002), mtime: 9, ..hardlink("d/g", "/d/f") },
        Item { owner: (3, 4), mtime: 8, ..symlink("d/l", "/etc/x") },
        Item { kind: b'6', name: "d/p", mode: 0o600, ..Item::default() },
        Item { kind: b'4', name: "d/b", mode: 0o660, owner: (0, 6), device: (7, 300), ..Item::default() },
    ]);
    let layer = unpacked(&archive);
    let top = fs::metadata(layer.layer()).unwrap();
    assert_eq!((top.mode() & 0o7777, top.mtime()), (0o700, 5));
    let folder = fs::metadata(layer.at("d")).unwrap();
    assert_eq!((folder.mode() & 0o7777, folder.uid(), folder.gid(), folder.mtime()), (0o2750, 7, 8, 6));
    let file = fs::metadata(layer.at("d/f")).unwrap();
    assert_eq!(
        (file.mode() & 0o7777, file.uid(), file.gid(), file.mtime()),
        (0o4711, 1000, 1002, 9),
        "as the link says"
    );
    assert_eq!((file.nlink(), fs::metadata(layer.at("d/g")).unwrap().ino()), (2, file.ino()));
    assert_eq!(fs::read(layer.at("d/g")).unwrap(), [9; 70_000]);
    let link = fs::symlink_metadata(layer.at("d/l")).unwrap();
    assert_eq!((link.uid(), link.gid(), link.mtime()), (3, 4, 8));
    assert_eq!(fs::read_link(layer.at("d/l")).unwrap(), Path::new("/etc/x"));
    assert!(fs::metadata(layer.at("d/p")).unwrap().file_type().is_fifo());
    let device = fs::metadata(layer.at("d/b")).unwrap();
    assert_eq!((device.rdev(), device.mode() & 0o7777, device.gid()), (rustix::fs::makedev(7, 300), 0o660, 6));
}

#[test]
fn the_tally_counts_inodes_once_and_rounds_files_up() {
    let items = [directory("d"), file("d/a", &[1; 5000]), hardlink("b", "d/a"), file("d/a", b""), symlink("l", "d")];
    let (_layer, outcome) = unpack(&tar(&items), Limits::default());
    assert_eq!(outcome.unwrap(), (5, 4 * 4096));
}

#[test]
fn missing_parents_are_made_plain() {
    let layer = unpacked(&tar(&[file("a/b/c", b"x")]));
    let made = fs::metadata(layer.at("a/b")).unwrap();
    assert_eq!((made.mode() & 0o7777, made.uid()), (0o755, 0));
}

#[test]
fn symlinks_on_the_way_are_resolved_inside_the_layer() {
    let layer = unpacked(&tar(&[
        directory("usr/lib"),
        symlink("lib", "/usr/lib"),
        symlink("up", "../../../usr"),
        file("lib/a", b"a"),
        file("up/lib/b", b"b"),
        hardlink("c", "lib/a"),
    ]));
    assert_eq!(names(&layer.at("usr/lib")), ["a", "b"]);
    assert_eq!(fs::read(layer.at("c")).unwrap(), b"a");
}

#[test]
fn whiteouts_become_devices_and_opaque_directories_an_attribute() {
    let layer = unpacked(&tar(&[
        directory("d"),
        file("d/.wh.gone", b""),
        file("d/.wh..wh..opq", b""),
        file(".wh..wh.plnk", b""),
        file("implied/.wh.x", b""),
    ]));
    assert!(is_whiteout(&layer.at("d/gone")) && is_whiteout(&layer.at("implied/x")));
    assert_eq!(xattr(&layer.at("d"), "trusted.overlay.opaque").unwrap(), b"y");
    assert_eq!(names(&layer.layer()), ["d", "implied"]);
}

#[test]
fn a_whiteout_hides_only_the_layers_below_whichever_comes_first() {
    let layer = unpacked(&tar(&[
        file(".wh.a", b""),
        directory("a"),
        file(".wh.i", b""),
        file("i/x", b""),
        directory("b"),
        file("b/x", b""),
        file(".wh.b", b""),
        file("f", b"f"),
        file(".wh.f", b""),
        file(".wh.g", b""),
        file("g", b"g"),
    ]));
    for opaque in ["a", "b", "i"] {
        assert_eq!(xattr(&layer.at(opaque), "trusted.overlay.opaque").unwrap(), b"y", "{opaque}");
    }
    assert!(layer.at("b/x").exists() && layer.at("i/x").exists());
    assert_eq!(fs::read(layer.at("f")).unwrap(), b"f");
    assert_eq!(fs::read(layer.at("g")).unwrap(), b"g");
}

#[test]
fn long_names_come_from_gnu_and_pax_headers_and_from_the_prefix() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let gnu = format!("{long}-gnu\0");
    let records = pax(&[("path", format!("{long}-pax").as_bytes()), ("linkpath", long.as_bytes()), ("mtime", b"9.5")]);
    let mut archive =
        tar(&[extension(b'L', gnu.as_bytes()), file("short", b"1"), extension(b'x', &records), symlink("short", "x")]);
    let mut prefixed = tar(&[file("name", b"3")]);
    prefixed[345..351].copy_from_slice(b"prefix");
    let sum: u32 = b"prefix".iter().map(|byte| u32::from(*byte)).sum();
    let stated = u32::from_str_radix(std::str::from_utf8(&prefixed[148..154]).unwrap(), 8).unwrap();
    prefixed[148..154].copy_from_slice(format!("{:06o}", stated + sum).as_bytes());
    archive.truncate(archive.len() - 1024);
    archive.extend(prefixed);
    let layer = unpacked(&archive);
    assert_eq!(fs::read(layer.at(&format!("{long}-gnu"))).unwrap(), b"1");
    let link = layer.at(&format!("{long}-pax"));
    assert_eq!(fs::read_link(&link).unwrap(), Path::new(&long));
    assert_eq!(fs::symlink_metadata(&link).unwrap().mtime_nsec(), 500_000_000);
    assert_eq!(fs::read(layer.at("prefix/name")).unwrap(), b"3");
}

#[test]
fn capabilities_and_user_attributes_are_kept_and_those_of_overlayfs_dropped() {
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let records = pax(&[
        ("SCHILY.xattr.security.capability", &capability),
        ("SCHILY.xattr.user.note", b"a=b"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
    ]);
    let owned = Item { owner: (5, 5), mode: 0o755, ..file("f", b"x") };
    let linked = Item { owner: (5, 5), mode: 0o755, ..hardlink("g", "f") };
    let layer = unpacked(&tar(&[extension(b'x', &records), owned, linked]));
    let path = layer.at("f");
    assert_eq!(xattr(&path, "security.capability").unwrap(), capability);
    assert_eq!(xattr(&path, "user.note").unwrap(), b"a=b");
    assert_eq!(xattr(&path, "user.overlay.opaque"), None);
    assert_eq!(xattr(&path, "trusted.overlay.redirect"), None);
}

#[test]
fn a_later_entry_replaces_an_earlier_one_of_any_kind() {
    let layer = unpacked(&tar(&[
        file("f", b"old and long"),
        file("f", b"new"),
        directory("d/deep/er"),
        file("d/deep/er/x", b"x"),
        file("d", b"file now"),
        symlink("l", "f"),
        Item { mode: 0o711, ..directory("l") },
        file("l/inside", b""),
        Item { mode: 0o711, ..directory("kept") },
        file("kept/x", b""),
        Item { mode: 0o700, ..directory("kept") },
        file("self", b"self"),
        hardlink("self", "./self"),
    ]));
    assert_eq!(fs::read(layer.at("f")).unwrap(), b"new");
    assert_eq!(fs::read(layer.at("d")).unwrap(), b"file now");
    assert_eq!(names(&layer.at("l")), ["inside"]);
    assert_eq!(fs::metadata(layer.at("kept")).unwrap().mode() & 0o7777, 0o700);
    assert!(layer.at("kept/x").exists());
    assert_eq!(fs::read(layer.at("self")).unwrap(), b"self");
}

#[test]
fn layers_side_by_side_get_regions_of_their_own_on_ext4() {
    let scratch = unpacked(&tar(&[file("f", b"x")]));
    let folder = fs::File::open(scratch.layer().parent().unwrap()).unwrap();
    if rustix::fs::fstatfs(&folder).unwrap().f_type != 0xEF53 {
        return eprintln!("skipped: {} is not on ext4", std::env::temp_dir().display());
    }
    let flags = rustix::fs::ioctl_getflags(&folder).unwrap();
    assert!(flags.contains(rustix::fs::IFlags::TOPDIR), "{flags:?}");
}
