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
fn unknown_types_are_refused_by_name() {
    for kind in [b'V', b'M', b'D', b'!'] {
        let error = refused(&tar(&[Item { kind, ..file("odd", b"") }]));
        assert!(error.kind == "unsupported" && error.message.contains("odd"), "{}", error.message);
    }
}

#[test]
fn sparse_maps_that_lie_are_corrupt() {
    let with = |records: &[(&str, &[u8])], data: &[u8]| {
        refused(&tar(&[extension(b'x', &pax(records)), file("holes", data)])).kind
    };
    let size = ("GNU.sparse.size", &b"10"[..]);
    for map in [&b"0,4,2,4"[..], b"8,4,0,4", b"4,8", b"0,8,10", b"x,8", b"0,7", b"18446744073709551615,8"] {
        assert_eq!(with(&[size, ("GNU.sparse.map", map)], b"12345678"), "corrupt", "{}", String::from_utf8_lossy(map));
    }
    assert_eq!(with(&[("GNU.sparse.map", b"0,8")], b"12345678"), "corrupt", "no size");
    assert_eq!(with(&[size, ("GNU.sparse.numbytes", b"8")], b"12345678"), "corrupt", "no offset");
    let version_1 = [("GNU.sparse.major", &b"1"[..]), ("GNU.sparse.realsize", b"10")];
    assert_eq!(with(&version_1, b"1\n0\n8\n"), "corrupt", "the map is not a whole block");
    assert_eq!(with(&version_1, &[b'1'; 2048]), "corrupt", "a number without end");
    assert_eq!(with(&version_1, &[&b"99999999\n"[..], &[0; 503]].concat()), "corrupt", "too many parts");
    assert_eq!(refused(&tar(&[Item { kind: b'S', ..file("holes", b"data") }])).kind, "corrupt", "data without map");
}

#[test]
fn a_sparse_file_may_not_seem_larger_than_a_layer_may_be() {
    let records = pax(&[("GNU.sparse.size", b"9223372036854775807"), ("GNU.sparse.map", b"0,4")]);
    let error = refused(&tar(&[extension(b'x', &records), file("holes", b"data")]));
    assert!(error.kind == "exhausted" && error.message.contains("--layer-unpacked-bytes"), "{}", error.message);
}

#[test]
fn a_huge_file_is_refused_before_any_of_it_is_read() {
    let records = pax(&[("size", b"9223372036854775807")]);
    let error = refused(&tar(&[extension(b'x', &records), file("huge", b"data")]));
    assert!(error.kind == "exhausted" && error.message.contains("bytes in one file"), "{}", error.message);
}

#[test]
fn a_hard_link_to_a_file_of_a_layer_below_is_refused_by_name() {
    let error = refused(&tar(&[hardlink("mine", "etc/of-the-layer-below")]));
    assert_eq!(error.kind, "corrupt");
    assert!(error.message.contains("of-the-layer-below") && error.message.contains("not in the layer"));
}

#[test]
fn hard_links_to_directories_and_to_nothing_are_refused() {
    assert!(refused(&tar(&[directory("d"), hardlink("l", "d")])).message.contains('l'));
    assert_eq!(refused(&tar(&[directory("d"), hardlink("l", "./")])).kind, "corrupt");
    assert_eq!(refused(&tar(&[hardlink("l", "")])).kind, "corrupt");
    assert_eq!(refused(&tar(&[hardlink("l", ".wh.x")])).kind, "corrupt");
}

#[test]
fn a_symlink_that_leads_to_nothing_by_name_is_refused() {
    assert_eq!(refused(&tar(&[symlink("l", "")])).kind, "invalid");
}

#[test]
fn attributes_that_no_file_can_have_are_refused() {
    let large = vec![b'x'; 70_000];
    let records = pax(&[("SCHILY.xattr.user.large", &large)]);
    assert_eq!(refused(&tar(&[extension(b'x', &records), file("a", b"")])).kind, "invalid");
    let name = format!("SCHILY.xattr.user.{}", "n".repeat(300));
    let records = pax(&[(&name, b"x")]);
    assert_eq!(refused(&tar(&[extension(b'x', &records), file("a", b"")])).kind, "invalid");
    let records = pax(&[("SCHILY.xattr.security.capability", b"no capability")]);
    assert_eq!(refused(&tar(&[extension(b'x', &records), file("a", b"")])).kind, "invalid");
}

#[test]
fn whiteouts_of_nothing_are_refused() {
    for name in [".wh.", "d/.wh..", "d/.wh..."] {
        assert_eq!(refused(&tar(&[file(name, b"")])).kind, "invalid", "{name}");
    }
}

#[test]
fn opaque_marks_and_whiteouts_do_not_lead_out_through_links() {
    let layer = unpacked(&tar(&[
        directory("tmp"),
        symlink("out", "/../../tmp"),
        file("out/.wh.gone", b""),
        file("out/.wh..wh..opq", b""),
    ]));
    assert_eq!(layer.outside(), ["layer"]);
    assert_eq!(names(&layer.at("tmp")), ["gone"]);
}

#[test]
fn every_limit_is_named_in_its_error() {
    let limited = |archive: &[u8], limits: Limits| {
        let error = unpack(archive, limits).1.unwrap_err();
        assert_eq!(error.kind, "exhausted");
        error.message
    };
    let (none, plain) = (Limits::default(), tar(&[file("a", b""), file("b", b"")]));
    assert!(limited(&plain, Limits { inodes: 2, ..none }).contains("2 inodes, which --layer-inodes allows"));
    assert!(limited(&tar(&[file("a/b/c", b"")]), Limits { inodes: 2, ..none }).contains("inodes"));
    assert!(limited(&plain, Limits { entries: 1, ..none }).contains("1 entries, which --layer-entries allows"));
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
