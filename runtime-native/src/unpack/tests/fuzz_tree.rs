//! Archives unpacked for real: whatever they say, nothing outside of the layer is touched.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::fuzz::changed;
use super::scratch::{Scratch, names, unpack_into};
use super::seeds::archives;
use crate::fuzz::fuzz;
use crate::unpack::limits::Limits;

/// Inodes that a tree may have.
const INODES: u64 = 60;

#[test]
fn tree() {
    let scratch = Scratch::in_memory();
    let canary = scratch.layer().with_file_name("canary");
    fs::create_dir(&canary).unwrap();
    fs::write(canary.join("file"), "untouched").unwrap();
    let before = state(&canary);
    let limits = Limits { inodes: INODES, entries: 200, unpacked_bytes: 1 << 20, ..Limits::default() };
    let seeds = [archives("../canary"), archives(canary.to_str().unwrap())].concat();
    fuzz("tar-tree", &seeds, changed, |input, _| {
        let outcome = unpack_into(&scratch, input, limits);
        assert_eq!(scratch.outside(), ["canary", "layer"]);
        assert_eq!(state(&canary), before);
        let (inodes, bytes) = held(&scratch.layer());
        assert!(inodes <= INODES, "{inodes} inodes");
        let told = match outcome {
            Ok((told, used)) => {
                assert_eq!(told, inodes, "the inodes it tells");
                assert!(used >= bytes, "{bytes} bytes on disk, told {used}");
                format!("{inodes} inodes")
            }
            Err(error) => format!("{} {}", error.kind, error.message.split(' ').take(2).collect::<String>()),
        };
        fs::remove_dir_all(scratch.layer()).unwrap();
        told
    });
}

/// All that a program could change of the canary.
fn state(canary: &Path) -> String {
    let file = canary.join("file");
    let stat = |path: &Path| {
        let found = fs::symlink_metadata(path).unwrap();
        (found.mode(), found.uid(), found.gid(), found.mtime_nsec(), found.ctime_nsec(), found.nlink(), found.ino())
    };
    format!("{:?} {:?} {:?} {:?}", names(canary), stat(canary), stat(&file), fs::read(&file).unwrap())
}

/// Inodes of the tree, and the bytes that its files take.
fn held(path: &Path) -> (u64, u64) {
    let mut seen = std::collections::HashSet::new();
    let mut bytes = 0;
    let mut left = vec![path.to_owned()];
    while let Some(path) = left.pop() {
        let found = fs::symlink_metadata(&path).unwrap();
        if seen.insert(found.ino()) && found.is_file() {
            bytes += found.blocks() * 512;
        }
        if found.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    (seen.len() as u64, bytes)
}
