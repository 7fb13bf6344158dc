//! Layers out of a file.

use std::fs;
use std::sync::atomic::AtomicBool;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::archive::{file, tar};
use super::scratch::Scratch;
use super::transfer::{gzip, hex};
use crate::frame::FrameError;
use crate::unpack::limits::Limits;
use crate::unpack::messages::{Compression, FetchedLayer, UnpackLayerAsk};

/// Unpacks `blob`, which lies in a file between other bytes; the file ends `missing` bytes early.
fn unpack_from_file(
    scratch: &Scratch,
    blob: &[u8],
    compression: Compression,
    tar: &[u8],
    missing: usize,
) -> Result<FetchedLayer, FrameError> {
    let path = scratch.outside_at("archive");
    let whole = [&[0xaa; 1000], blob, &[0xbb; 700]].concat();
    let end = if missing == 0 { whole.len() } else { 1000 + blob.len() - missing };
    fs::write(&path, &whole[..end]).unwrap();
    let ask = UnpackLayerAsk {
        path: path.to_str().unwrap().to_owned(),
        offset: 1000,
        digest: hex("sha256", blob),
        size_bytes: blob.len() as u64,
        compression,
        diff_id: hex("sha256", tar),
        target: scratch.layer().to_str().unwrap().to_owned(),
        limits: Limits::default(),
        sums: String::new(),
    };
    crate::unpack::unpack_layer(&ask, &|_| (), &AtomicBool::new(false))
}

#[test]
fn a_layer_is_unpacked_out_of_the_middle_of_a_file() {
    let tar = tar(&[file("f", b"content")]);
    for (blob, compression) in [(tar.clone(), Compression::None), (gzip(&tar), Compression::Gzip)] {
        let scratch = Scratch::new();
        unpack_from_file(&scratch, &blob, compression, &tar, 0).unwrap();
        assert_eq!(fs::read(scratch.at("f")).unwrap(), b"content");
    }
}

#[test]
fn a_file_that_ends_early_and_content_of_another_digest_are_refused() {
    let content = tar(&[file("f", b"content")]);
    let scratch = Scratch::new();
    let short = unpack_from_file(&scratch, &content, Compression::None, &content, 100).unwrap_err();
    assert_eq!(short.kind, "corrupt");
    assert!(short.message.contains("ends 100 bytes before the blob does"), "{}", short.message);
    let other = unpack_from_file(&scratch, &content, Compression::None, &tar(&[]), 0).unwrap_err();
    assert_eq!(other.kind, "inconsistent");
    assert!(other.message.contains("diffID should be"), "{}", other.message);
    assert_eq!(scratch.outside(), ["archive"]);
}

#[test]
fn a_file_system_without_inodes_left_is_told_apart_from_a_full_one() {
    let files: Vec<String> = (0..20).map(|name| name.to_string()).collect();
    let content = tar(&files.iter().map(|name| file(name, b"")).collect::<Vec<_>>());
    let scratch = Scratch::new();
    let (archive, room) = (scratch.outside_at("archive"), scratch.outside_at("room"));
    fs::write(&archive, &content).unwrap();
    fs::create_dir(&room).unwrap();
    mount("tmpfs", &room, "tmpfs", MountFlags::empty(), c"nr_inodes=10").unwrap();
    let ask = UnpackLayerAsk {
        path: archive.to_str().unwrap().to_owned(),
        offset: 0,
        digest: hex("sha256", &content),
        size_bytes: content.len() as u64,
        compression: Compression::None,
        diff_id: hex("sha256", &content),
        target: room.join("layer").to_str().unwrap().to_owned(),
        sums: String::new(),
        limits: Limits::default(),
    };
    let outcome = crate::unpack::unpack_layer(&ask, &|_| (), &AtomicBool::new(false));
    let left = fs::read_dir(&room).unwrap().count();
    unmount(&room, UnmountFlags::DETACH).unwrap();
    let error = outcome.unwrap_err();
    assert_eq!((error.kind.as_str(), left), ("exhausted", 0));
    assert!(
        error.message.ends_with("No space left on device (os error 28); no inodes are left there"),
        "{}",
        error.message
    );
}
