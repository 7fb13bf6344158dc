//! What hostile or broken layers are refused for.

use std::fs;

use super::archive::{Item, directory, extension, file, hardlink, pax, symlink, tar};
use super::scratch::{names, refused, unpack, unpacked};
use crate::unpack::limits::Limits;

#[test]
fn names_that_lead_out_are_refused() {
    for name in ["../x", "a/../../x", "/../x", ".."] {
        assert_eq!(refused(&tar(&[file(name, b"x")])).kind, "invalid", "{name}");
    }
}

#[test]
fn a_symlink_out_of_the_layer_leads_nowhere_outside() {
    let layer = unpacked(&tar(&[
        directory("tmp"),
        symlink("out", "/tmp"),
        symlink("up", "../.."),
        file("out/x", b"x"),
        file("up/y", b"y"),
        Item { kind: b'2', link: "/etc/passwd", ..file("f", b"") },
        file("f", b"not passwd"),
    ]));
    assert_eq!(layer.outside(), ["layer"]);
    assert_eq!(names(&layer.at("tmp")), ["x"]);
    assert_eq!(fs::read(layer.at("y")).unwrap(), b"y");
    assert_eq!(fs::read(layer.at("f")).unwrap(), b"not passwd");
}

#[test]
fn a_hard_link_finds_only_what_the_layer_has() {
    assert_eq!(refused(&tar(&[hardlink("a", "/etc/passwd")])).kind, "corrupt");
    assert_eq!(refused(&tar(&[hardlink("a", "../../../etc/passwd")])).kind, "invalid");
    assert_eq!(refused(&tar(&[symlink("e", "/etc"), hardlink("a", "e/passwd")])).kind, "corrupt");
}

#[test]
fn magic_links_of_proc_and_symlink_loops_are_not_followed() {
    assert_eq!(refused(&tar(&[symlink("a", "b"), symlink("b", "a"), file("a/x", b"")])).kind, "invalid");
    assert_eq!(refused(&tar(&[symlink("self", "/proc/self/root"), file("self/x", b"")])).kind, "invalid");
}

#[test]
fn a_file_is_no_parent_and_the_top_is_no_file() {
    assert_eq!(refused(&tar(&[file("a", b""), file("a/b", b"")])).kind, "invalid");
    assert_eq!(refused(&tar(&[file("./", b""), symlink(".", "x")])).kind, "invalid");
}

#[test]
fn malformed_archives_are_corrupt() {
    let whole = tar(&[file("a", &[1; 2000])]);
    for cut in [100, 512, 1000, 2500] {
        let error = refused(&whole[..cut]);
        assert_eq!((error.kind.as_str(), cut), ("corrupt", cut), "{}", error.message);
    }
    let mut flipped = whole.clone();
    flipped[3] ^= 1;
    assert!(refused(&flipped).message.contains("checksum"));
    assert_eq!(refused(&tar(&[extension(b'x', b"7 nonsense"), file("a", b"")])).kind, "corrupt");
    let huge = pax(&[("size", b"99999999999999999999")]);
    assert_eq!(refused(&tar(&[extension(b'x', &huge), file("a", b"")])).kind, "corrupt");
}

#[test]
fn an_archive_may_end_without_its_zero_blocks() {
    let whole = tar(&[file("a", b"a")]);
    unpacked(&whole[..1024]);
    unpacked(&whole[..1536]);
}

#[test]
fn sparse_files_and_unknown_types_are_refused_by_name() {
    let sparse = refused(&tar(&[Item { kind: b'S', ..file("holes", b"") }]));
    assert!(sparse.kind == "unsupported" && sparse.message.contains("holes"));
    let records = pax(&[("GNU.sparse.major", b"1")]);
    assert_eq!(refused(&tar(&[extension(b'x', &records), file("a", b"")])).kind, "unsupported");
    assert_eq!(refused(&tar(&[Item { kind: b'V', ..file("a", b"") }])).kind, "unsupported");
}

#[test]
fn every_limit_is_named_in_its_error() {
    let limited = |archive: &[u8], limits: Limits| {
        let error = unpack(archive, limits).1.unwrap_err();
        assert_eq!(error.kind, "exhausted");
        error.message
    };
    let (none, plain) = (Limits::default(), tar(&[file("a", b""), file("b", b"")]));
    assert!(limited(&plain, Limits { inodes: 2, ..none }).contains("2 inodes"));
    assert!(limited(&tar(&[file("a/b/c", b"")]), Limits { inodes: 2, ..none }).contains("inodes"));
    assert!(limited(&plain, Limits { entries: 1, ..none }).contains("entries"));
    let folders = tar(&[directory("abc"), directory("def")]);
    assert!(limited(&folders, Limits { directory_name_bytes: 5, ..none }).contains("directory names"));
    let long = vec![b'n'; 5000];
    assert!(limited(&tar(&[extension(b'L', &long), file("a", b"")]), none).contains("bytes in a name"));
    let records = pax(&[("path", &long)]);
    assert!(limited(&tar(&[extension(b'x', &records), file("a", b"")]), none).contains("bytes in a name"));
    let large = vec![b'1'; (1 << 20) + 1];
    assert!(limited(&tar(&[extension(b'x', &large), file("a", b"")]), none).contains("PAX header"));
    let flood: Vec<_> = (0..20).map(|_| extension(b'x', b"")).collect();
    assert!(limited(&tar(&flood), none).contains("extension headers"));
    let deep = "d/".repeat(300);
    let records = pax(&[("path", deep.as_bytes())]);
    assert!(limited(&tar(&[extension(b'x', &records), directory("a")]), none).contains("directories in a name"));
}

#[test]
fn an_owner_that_means_no_change_to_the_kernel_is_refused() {
    let records = pax(&[("uid", b"4294967295")]);
    assert_eq!(refused(&tar(&[extension(b'x', &records), file("a", b"")])).kind, "corrupt");
}

#[test]
fn symlinks_cannot_stack_names_into_a_bottomless_tree() {
    let deep = "d/".repeat(250);
    let (second, third) = (format!("l/{deep}"), format!("m/{deep}"));
    let records: Vec<_> = [&deep, &second, &third].iter().map(|path| pax(&[("path", path.as_bytes())])).collect();
    let leads: Vec<_> = [&deep, &second].iter().map(|path| pax(&[("linkpath", path.as_bytes())])).collect();
    let archive = tar(&[
        extension(b'x', &records[0]),
        directory("first"),
        extension(b'x', &leads[0]),
        symlink("l", "first"),
        extension(b'x', &records[1]),
        directory("second"),
        extension(b'x', &leads[1]),
        symlink("m", "second"),
        extension(b'x', &records[2]),
        directory("third"),
    ]);
    assert_eq!(refused(&archive).kind, "invalid");
}
