//! Layers that are odd, and yet right.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::Command;

use super::archive::{Item, directory, extension, file, hardlink, pax, symlink, tar};
use super::scratch::{Scratch, names, unpack, unpacked};
use crate::unpack::limits::Limits;

const MAX_ID: u32 = u32::MAX - 1;

#[test]
fn setuid_files_keep_their_bits_under_any_owner() {
    let records = pax(&[("uid", MAX_ID.to_string().as_bytes()), ("gid", MAX_ID.to_string().as_bytes())]);
    let layer = unpacked(&tar(&[
        Item { mode: 0o6755, owner: (65_534, 65_534), ..file("nobody", b"x") },
        extension(b'x', &records),
        Item { mode: 0o4711, ..file("last", b"x") },
        Item { mode: 0o4711, owner: (65_534, 0), ..hardlink("link", "nobody") },
        Item { mode: 0o7777, owner: (1, 2), ..directory("d") },
        file("d/x", b""),
    ]));
    let stat = |name: &str| {
        let found = fs::symlink_metadata(layer.at(name)).unwrap();
        (found.mode() & 0o7777, found.uid(), found.gid())
    };
    assert_eq!(stat("nobody"), (0o4711, 65_534, 0));
    assert_eq!(stat("last"), (0o4711, MAX_ID, MAX_ID));
    assert_eq!(stat("d"), (0o7777, 1, 2));
    assert_eq!(stat("d/x"), (0o644, 0, 0), "nothing of its setgid directory");
}

#[test]
fn devices_and_fifos_are_made_as_they_are_told_and_never_opened() {
    let device = |name: &'static str, kind, device| Item { name, kind, device, mode: 0o4660, ..Item::default() };
    let layer = unpacked(&tar(&[
        device("console", b'3', (5, 1)),
        device("disk", b'4', (8, 0)),
        device("largest", b'3', (4095, 262_143)),
        device("fifo", b'6', (0, 0)),
        device("white", b'3', (0, 0)),
        hardlink("again", "console"),
        hardlink("white-again", "white"),
        hardlink("fifo-again", "fifo"),
    ]));
    let stat = |name: &str| fs::symlink_metadata(layer.at(name)).unwrap();
    assert_eq!((stat("console").rdev(), stat("console").nlink()), (rustix::fs::makedev(5, 1), 2));
    assert!(stat("disk").file_type().is_block_device());
    assert_eq!(stat("largest").rdev(), rustix::fs::makedev(4095, 262_143));
    assert!(stat("fifo-again").file_type().is_fifo());
    assert_eq!(stat("white-again").rdev(), 0);
}

#[test]
fn data_behind_a_whiteout_or_a_leftover_of_aufs_are_skipped() {
    let layer = unpacked(&tar(&[
        file(".wh.gone", &[7; 3000]),
        file(".wh..wh.aufs", &[7; 3000]),
        file("d/.wh..wh..opq", &[7; 3000]),
        file("after", b"it"),
    ]));
    assert_eq!(fs::read(layer.at("after")).unwrap(), b"it");
}

#[test]
fn a_whiteout_may_be_written_as_any_type() {
    let link = symlink(".wh.l", "x");
    let folder = directory(".wh.d/");
    let layer = unpacked(&tar(&[link, folder, hardlink("e/.wh..wh..opq", "nowhere"), directory("f/.wh..wh..opq")]));
    assert_eq!(names(&layer.layer()), ["d", "e", "f", "l"]);
    assert_eq!(fs::symlink_metadata(layer.at("d")).unwrap().rdev(), 0);
}

#[test]
fn the_top_of_a_layer_may_be_opaque() {
    let layer = unpacked(&tar(&[file(".wh..wh..opq", b""), file("x", b"")]));
    let mut value = [0; 1];
    assert_eq!(rustix::fs::lgetxattr(layer.layer(), "trusted.overlay.opaque", &mut value), Ok(1));
}

#[test]
fn a_whiteout_gives_way_to_what_its_own_layer_puts_there() {
    let layer = unpacked(&tar(&[
        file(".wh.a", b""),
        file("a/b/.wh.c", b""),
        file("a/b/c/d", b"d"),
        file(".wh.f", b""),
        hardlink("f", "a/b/c/d"),
        file(".wh.s", b""),
        symlink("s", "f"),
        file(".wh.s", b""),
    ]));
    assert_eq!(fs::read(layer.at("a/b/c/d")).unwrap(), b"d");
    assert_eq!(fs::read(layer.at("s")).unwrap(), b"d");
}

#[test]
fn one_path_may_come_a_thousand_times() {
    let archive = tar(&(0..1000).map(|_| file("a", b"x")).chain([file("a", b"last")]).collect::<Vec<_>>());
    let (layer, outcome) = unpack(&archive, Limits { inodes: 2, ..Limits::default() });
    assert_eq!(outcome.unwrap(), (2, 2 * 4096));
    assert_eq!(fs::read(layer.at("a")).unwrap(), b"last");
}

#[test]
fn names_may_hold_any_byte_but_a_zero_and_be_as_long_as_the_kernel_takes() {
    let odd = "\u{1b}[31m\n\\ \u{7f}\"*?$(x)";
    let longest = "n".repeat(255);
    let deep = format!("{}{longest}", "d/".repeat(200));
    let layer = unpacked(&tar(&[
        file(odd, b"odd"),
        extension(b'x', &pax(&[("path", deep.as_bytes())])),
        file("short", b"deep"),
        extension(b'x', &pax(&[("path", &b"\xff\xfe"[..])])),
        file("short", b"not UTF-8"),
    ]));
    assert_eq!(fs::read(layer.at(odd)).unwrap(), b"odd");
    assert_eq!(fs::read(layer.at(&deep)).unwrap(), b"deep");
    assert_eq!(fs::read_dir(layer.layer()).unwrap().count(), 3);
}

/// A file with holes before, between and after its data, as GNU tar packs it in every form of its.
#[test]
fn sparse_files_of_gnu_tar_have_their_holes() {
    for form in [&["--format=gnu"][..], &["--sparse-version=0.0"], &["--sparse-version=0.1"], &["--sparse-version=1.0"]]
    {
        for parts in [1, 3, 60] {
            let source = Scratch::new();
            fs::create_dir(source.layer()).unwrap();
            let size = holey(&source, parts);
            let layer = unpacked(&packed(form, &source));
            let found = fs::metadata(layer.at("holes")).unwrap();
            assert_eq!(found.len(), size, "{form:?}");
            assert_eq!(fs::read(layer.at("holes")).unwrap(), fs::read(source.at("holes")).unwrap(), "{form:?} {parts}");
            assert!(found.blocks() * 512 < size / 2, "{form:?}: {} blocks of {size} bytes", found.blocks());
        }
    }
}

fn holey(source: &Scratch, parts: u64) -> u64 {
    use std::os::unix::fs::FileExt;
    let file = fs::File::create(source.at("holes")).unwrap();
    for part in 0..parts {
        file.write_all_at(&[part as u8 + 1; 700], (part + 1) * 65_536).unwrap();
    }
    let size = (parts + 2) * 65_536 + 123;
    file.set_len(size).unwrap();
    size
}

fn packed(form: &[&str], source: &Scratch) -> Vec<u8> {
    let tar = Command::new("tar").args(["-c", "-S"]).args(form).arg("-C").arg(source.layer()).arg("holes").output();
    let packed = tar.unwrap();
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    packed.stdout
}
