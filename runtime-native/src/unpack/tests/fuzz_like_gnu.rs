//! Archives that are valid for every reader: the tree is the one that GNU tar makes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::archive::{Item, directory, extension, file, hardlink, pax, symlink, tar};
use super::scratch::{Scratch, unpack_into};
use crate::fuzz::{Dice, fuzz, unchanged};
use crate::unpack::limits::Limits;

/// Trees in one archive, each in a directory of its own: to start GNU tar takes longer than to unpack many.
const TREES: usize = 50;
const NAMES: [&str; 6] = ["a", "b", "c", "d", "long-long-long-long-long-long-long-long-name", "e f"];
const MODES: [u32; 6] = [0o644, 0o755, 0o4755, 0o2711, 0o600, 0o1777];

#[test]
fn like_gnu() {
    let scratch = Scratch::in_memory();
    let theirs = scratch.layer().with_file_name("theirs");
    fuzz("tar-like-gnu", &[vec![0; 8]], unchanged, |_, dice| {
        let archive = archive(dice);
        unpack_into(&scratch, &archive, Limits::default()).unwrap();
        fs::create_dir(&theirs).unwrap();
        unpack_by_gnu(&theirs, &archive);
        let (ours, gnu) = (listing(&scratch.layer()), listing(&theirs));
        for (path, told) in &gnu {
            assert_eq!(ours.get(path), Some(told), "{path}");
        }
        assert_eq!(ours.len(), gnu.len(), "{:?}", ours.keys().find(|path| !gnu.contains_key(*path)));
        fs::remove_dir_all(&theirs).unwrap();
        fs::remove_dir_all(scratch.layer()).unwrap();
        String::new()
    });
}

fn unpack_by_gnu(target: &Path, archive: &[u8]) {
    let options = ["-x", "-p", "--same-owner", "--numeric-owner", "--xattrs", "--xattrs-include=user.*", "-f", "-"];
    let mut tar = Command::new("tar").args(options).arg("-C").arg(target).stdin(Stdio::piped()).spawn().unwrap();
    tar.stdin.take().unwrap().write_all(archive).unwrap();
    assert!(tar.wait().unwrap().success());
}

/// What a tree has, by path. A directory's time is left out: GNU tar sets it before later entries change it again.
fn listing(top: &Path) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut left: Vec<_> = fs::read_dir(top).unwrap().map(|entry| entry.unwrap().path()).collect();
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        let content = if found.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        let target = fs::read_link(&path).map(|target| target.as_os_str().as_bytes().to_vec()).unwrap_or_default();
        let nlink = if found.is_dir() { 0 } else { found.nlink() };
        let mtime = if found.is_dir() { (0, 0) } else { (found.mtime(), found.mtime_nsec()) };
        let stat = (found.mode(), found.uid(), found.gid(), nlink, found.rdev(), mtime);
        let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
        all.insert(name, format!("{stat:?} {content:?} {target:?}"));
        if found.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    all
}

fn archive(dice: &mut Dice) -> Vec<u8> {
    let mut whole = Vec::new();
    for tree in 0..TREES {
        let mut known = vec![(format!("{tree}"), Made::Directory)];
        for _ in 0..1 + dice.below(12) {
            whole.extend_from_slice(&one(&mut known, dice));
        }
    }
    whole.resize(whole.len() + 1024, 0);
    whole
}

/// What a path was made last; a file with mode and owner.
#[derive(Clone, PartialEq)]
enum Made {
    Directory,
    File(u32, (u32, u32), u64),
    Other,
}

/// One more entry of the tree, with its extension headers.
fn one(known: &mut Vec<(String, Made)>, dice: &mut Dice) -> Vec<u8> {
    let folders: Vec<_> =
        known.iter().filter(|(_, made)| *made == Made::Directory).map(|(path, _)| path.clone()).collect();
    let parent = &folders[dice.below(folders.len())];
    let path = format!("{parent}/{}", NAMES[dice.below(NAMES.len())]);
    let (mode, owner, mtime) =
        (MODES[dice.below(6)], (dice.below(3) as u32, dice.below(70_000) as u32), dice.below(1 << 30) as u64);
    let data: Vec<u8> = (0..dice.below(1500)).map(|_| dice.next() as u8).collect();
    let files: Vec<_> = known.iter().filter(|(_, made)| matches!(made, Made::File(..))).cloned().collect();
    let mut target = format!("{}/{}", NAMES[dice.below(6)], "t".repeat(dice.below(130)));
    let (item, made) = match dice.below(8) {
        0 | 1 => (Item { mode: MODES[dice.below(2)], owner, mtime, ..directory("") }, Made::Directory),
        2 => (Item { owner, mtime, ..symlink("", "") }, Made::Other),
        3 if !files.is_empty() => {
            let (name, made) = &files[dice.below(files.len())];
            let Made::File(mode, owner, mtime) = *made else { return Vec::new() };
            if *name == path || name.starts_with(&format!("{path}/")) {
                return Vec::new();
            }
            target = name.clone();
            (Item { mode, owner, mtime, ..hardlink("", "") }, made.clone())
        }
        4 => (Item { kind: b'6', mode, owner, mtime, ..file("", b"") }, Made::Other),
        5 => (Item { kind: b'3', device: (1, 3), mode, owner, mtime, ..file("", b"") }, Made::Other),
        _ => (Item { mode, owner, mtime, ..file("", &data) }, Made::File(mode, owner, mtime)),
    };
    // Nothing takes the place of a directory that is not empty: GNU tar refuses it, or empties directories named again.
    if made != Made::Directory && known.iter().any(|(name, _)| name.starts_with(&format!("{path}/"))) {
        return Vec::new();
    }
    let stays = made == Made::Directory && known.iter().any(|(name, made)| *name == path && *made == Made::Directory);
    if !stays {
        known.retain(|(name, _)| *name != path);
        known.push((path.clone(), made));
    }
    written(&item, &path, &target, dice)
}

/// The entry with its names in the header where they fit, else by either kind of extension.
fn written(item: &Item<'_>, path: &str, target: &str, dice: &mut Dice) -> Vec<u8> {
    let is_link = matches!(item.kind, b'1' | b'2');
    let is_long = path.len() > 90 || (is_link && target.len() > 90);
    let (path_data, target_data) = (format!("{path}\0"), format!("{target}\0"));
    let records = pax(&[("path", path.as_bytes()), ("linkpath", target.as_bytes())]);
    let mut items = Vec::new();
    if is_long && dice.below(2) == 0 {
        items.push(extension(b'x', &records));
    } else if is_long {
        items.push(extension(b'L', path_data.as_bytes()));
        items.extend(is_link.then(|| extension(b'K', target_data.as_bytes())));
    }
    let (name, link) = if is_long { ("short", "short") } else { (path, target) };
    items.push(Item { name, link: if is_link { link } else { "" }, ..*item });
    let mut bytes = tar(&items);
    bytes.truncate(bytes.len() - 1024);
    bytes
}
