//! Layers that leave directories to the layers below them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::archive::{Item, directory, file, symlink, tar};
use super::scratch::{Scratch, names, unpack_telling};
use crate::unpack::settle::settle;

/// Unpacks each archive as a layer, the lowest first, and settles the last on the others.
fn settled(archives: &[Vec<u8>]) -> Vec<Scratch> {
    let mut layers = Vec::new();
    let mut implied = Vec::new();
    for archive in archives {
        let (scratch, made) = unpack_telling(archive);
        layers.push(scratch);
        implied = made;
    }
    let below: Vec<PathBuf> = layers.iter().rev().skip(1).map(Scratch::layer).collect();
    let top = layers.last().unwrap().layer();
    settle(&top, &below, &implied).unwrap();
    settle(&top, &below, &implied).unwrap();
    layers
}

fn top(layers: &[Scratch]) -> &Scratch {
    layers.last().unwrap()
}

#[test]
fn a_directory_that_no_entry_names_is_as_the_layers_below_have_it() {
    let base = tar(&[
        Item { mode: 0o1777, ..directory("tmp") },
        Item { mode: 0o700, owner: (7, 8), ..directory("home") },
        Item { mode: 0o750, owner: (9, 9), ..directory("home/user") },
    ]);
    let middle = tar(&[Item { mode: 0o711, owner: (7, 8), ..directory("home") }]);
    let layers = settled(&[base, middle, tar(&[file("tmp/x", b""), file("home/user/new/y", b"")])]);
    let mode = |path: &str| {
        let found = fs::metadata(top(&layers).at(path)).unwrap();
        (found.mode() & 0o7777, found.uid(), found.gid())
    };
    assert_eq!(mode("tmp"), (0o1777, 0, 0));
    assert_eq!(mode("home"), (0o711, 7, 8));
    assert_eq!(mode("home/user"), (0o750, 9, 9));
    assert_eq!(mode("home/user/new"), (0o755, 0, 0));
}

#[test]
fn what_goes_through_a_symlink_of_the_layers_below_goes_where_it_leads() {
    let base = tar(&[
        Item { mode: 0o751, ..directory("usr/bin") },
        directory("run"),
        symlink("bin", "usr/bin"),
        symlink("var/run", "/run"),
        symlink("sbin", "bin"),
        symlink("out", "../../../../usr/bin"),
    ]);
    let layer = tar(&[
        file("bin/tool", b"tool"),
        file("sbin/admin", b"admin"),
        file("var/run/deep/pid", b"1"),
        file("out/of", b"it"),
        file("usr/bin/tool", b"other"),
        file("bin/.wh.gone", b""),
    ]);
    let layers = settled(&[base, layer]);
    let layer = top(&layers);
    assert_eq!(names(&layer.layer()), ["run", "usr", "var"]);
    assert_eq!(names(&layer.at("usr/bin")), ["admin", "gone", "of", "tool"]);
    assert_eq!(fs::read(layer.at("usr/bin/tool")).unwrap(), b"other");
    assert_eq!(fs::metadata(layer.at("usr/bin")).unwrap().mode() & 0o7777, 0o751);
    assert_eq!(fs::read(layer.at("run/deep/pid")).unwrap(), b"1");
    assert_eq!(names(&layer.at("var")), [""; 0]);
}

#[test]
fn a_directory_that_the_layer_names_replaces_a_symlink_below() {
    let base = tar(&[directory("usr/bin"), symlink("bin", "usr/bin")]);
    let layers = settled(&[base, tar(&[Item { mode: 0o700, ..directory("bin") }, file("bin/tool", b"")])]);
    assert_eq!(names(&top(&layers).layer()), ["bin"]);
    assert_eq!(fs::metadata(top(&layers).at("bin")).unwrap().mode() & 0o7777, 0o700);
}

#[test]
fn what_is_hidden_below_counts_for_nothing() {
    let base = || {
        tar(&[
            Item { mode: 0o700, ..directory("a/b") },
            directory("usr"),
            symlink("link", "usr"),
            symlink("loop", "loop"),
        ])
    };
    let mode = |layers: &[Scratch]| fs::metadata(top(layers).at("a/b")).unwrap().mode() & 0o7777;
    assert_eq!(mode(&settled(&[base(), tar(&[file("a/.wh..wh..opq", b""), file("a/b/c", b"")])])), 0o755);
    let whiteouts = tar(&[file(".wh.a", b""), file(".wh.link", b"")]);
    let layers = settled(&[base(), whiteouts, tar(&[file("a/b/c", b""), file("link/x", b""), file("loop/y", b"")])]);
    assert_eq!(mode(&layers), 0o755);
    assert_eq!(names(&top(&layers).layer()), ["a", "link", "loop"]);
}

#[test]
fn a_symlink_to_nothing_or_to_a_file_is_replaced() {
    let base = tar(&[symlink("dangling", "nowhere"), file("f", b""), symlink("to-file", "f")]);
    let layers = settled(&[base, tar(&[file("dangling/x", b""), file("to-file/y", b"")])]);
    assert_eq!(names(&top(&layers).layer()), ["dangling", "to-file"]);
}
