use crate::client::{Engine, Scratch};
use rustix::fs::{CWD, FileType, Mode, OFlags, mkdirat, mknodat, openat};
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, symlink};
use std::process::Command;

#[test]
fn a_hostile_tree_is_removed_and_nothing_outside_it() {
    let scratch = Scratch::new("hostile");
    let outside = scratch.file("outside/kept", "kept");
    scratch.dir("tree/a/b");
    symlink(scratch.at("outside"), scratch.at("tree/a/link")).unwrap();
    symlink("../..", scratch.at("tree/a/b/up")).unwrap();
    symlink(scratch.at("outside"), scratch.at("top-link")).unwrap();
    mknodat(CWD, scratch.at("tree/fifo"), FileType::Fifo, Mode::empty(), 0).unwrap();
    std::fs::hard_link(&outside, scratch.at("tree/hard")).unwrap();
    let frozen = scratch.file("tree/frozen/file", "x");
    let flagged = Command::new("chattr").args(["+i", &frozen, &scratch.at("tree/frozen")]).status();
    let remove = [scratch.at("tree"), scratch.at("top-link"), scratch.at("none")];
    let removed = Engine::start().call("removeTrees", json!({ "unmount": [], "remove": remove }));
    if removed.is_err() {
        let _ = Command::new("chattr").args(["-i", &scratch.at("tree/frozen"), &frozen]).status();
    }
    removed.unwrap_or_else(|error| panic!("{error:?}, chattr {flagged:?}"));
    assert!(!scratch.0.join("tree").exists() && scratch.0.join("top-link").symlink_metadata().is_err());
    assert_eq!(std::fs::read_to_string(outside).unwrap(), "kept");
}

#[test]
fn a_tree_deeper_than_any_path_or_descriptor_limit_is_measured_and_removed() {
    let scratch = Scratch::new("deep");
    let depth = 3000;
    let mut here = openat(CWD, scratch.dir("tree"), OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..depth {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = openat(&here, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    drop(here);
    let mut engine = Engine::start();
    let usage = engine.call("diskUsage", json!({ "paths": [scratch.at("tree")] })).unwrap();
    assert_eq!(usage["usage"][0]["inodes"], (depth + 1).to_string());
    engine.call("removeTrees", json!({ "unmount": [], "remove": [scratch.at("tree")] })).unwrap();
    assert!(!scratch.0.join("tree").exists());
}

#[test]
fn a_mount_below_a_tree_is_not_crossed() {
    let scratch = Scratch::new("crossing");
    let precious = scratch.file("source/precious", "x");
    let inside = scratch.dir("tree/mounted");
    rustix::mount::mount_bind(scratch.at("source"), &inside).unwrap();
    let mut engine = Engine::start();
    let (kind, _) = engine.call("removeTrees", json!({ "unmount": [], "remove": [scratch.at("tree")] })).unwrap_err();
    assert_eq!(kind, "in-use");
    let (kind, _) = engine.call("removeTrees", json!({ "unmount": [], "remove": [inside] })).unwrap_err();
    assert_eq!(kind, "in-use");
    assert!(std::path::Path::new(&precious).exists());
    engine.call("removeTrees", json!({ "unmount": [inside], "remove": [scratch.at("tree")] })).unwrap();
    assert!(std::path::Path::new(&precious).exists() && !scratch.0.join("tree").exists());
}

#[test]
fn allocated_blocks_are_counted_and_hard_links_once() {
    let scratch = Scratch::new("usage");
    let file = scratch.file("tree/file", &"x".repeat(100_000));
    std::fs::hard_link(&file, scratch.at("tree/again")).unwrap();
    std::fs::File::create(scratch.at("tree/sparse")).unwrap().set_len(1 << 30).unwrap();
    let usage = Engine::start().call("diskUsage", json!({ "paths": [scratch.at("tree"), file] })).unwrap();
    let blocks = |path: &str| std::fs::symlink_metadata(path).unwrap().blocks() * 512;
    let whole = blocks(&scratch.at("tree")) + blocks(&file) + blocks(&scratch.at("tree/sparse"));
    assert_eq!(usage["usage"][0], json!({ "bytes": whole.to_string(), "inodes": "3" }));
    assert_eq!(usage["usage"][1], json!({ "bytes": blocks(&file).to_string(), "inodes": "1" }));
}

#[test]
fn a_missing_tree_has_no_size_and_does_not_spoil_the_others() {
    let usage = Engine::start().call("diskUsage", json!({ "paths": ["/no/such", "/dev/null"] })).unwrap();
    assert_eq!((&usage["usage"][0], &usage["usage"][1]["inodes"]), (&Value::Null, &json!("1")));
}
