//! What is kept of the content of a layer's files.

use std::fs;

use super::archive::{directory, file, hardlink, symlink, tar};
use super::scratch::Scratch;
use crate::unpack::limits::Limits;
use crate::unpack::sums::{HEADER_BYTES, Kept, Verdict};
use crate::unpack::tar::Archive;
use crate::unpack::tree::Tree;

/// What is kept of a layer, as it lies on the disk.
fn kept(archive: &[u8]) -> Vec<u8> {
    let scratch = Scratch::new();
    let sums = scratch.outside_at("sums");
    let mut tree = Tree::create(scratch.layer().to_str().unwrap(), Limits::default()).unwrap();
    tree.keep_sums(sums.to_str().unwrap()).unwrap();
    let mut archive = Archive::new(archive);
    while let Some(entry) = archive.next_entry().unwrap() {
        tree.place(&entry, &mut archive).unwrap();
    }
    tree.finish().unwrap();
    fs::read(sums).unwrap()
}

fn crc(content: &[u8]) -> u32 {
    crc32fast::hash(content)
}

#[test]
fn a_file_is_known_by_name_size_and_content_and_a_hard_link_by_name_and_size() {
    let long = vec![9; 300_000];
    let items = [directory("d/"), file("d/f", &long), file("empty", b""), hardlink("g", "d/f"), symlink("l", "d/f")];
    let kept = Kept::parse(&kept(&tar(&items))).unwrap();
    assert_eq!((kept.sums.len(), kept.exact), (3, true));
    assert_eq!(kept.verdict(b"f", 300_000, crc(&long)), Verdict::Whole);
    assert_eq!(kept.verdict(b"empty", 0, 0), Verdict::Whole);
    assert_eq!(kept.verdict(b"g", 300_000, crc(&long)), Verdict::Unknown);
    let mut rotten = long.clone();
    rotten[150_000] ^= 1;
    assert_eq!(kept.verdict(b"f", 300_000, crc(&rotten)), Verdict::Damaged);
    assert_eq!(kept.verdict(b"f", 0, 0), Verdict::Damaged);
    assert_eq!(kept.verdict(b"g", 0, 0), Verdict::Damaged);
    assert_eq!(kept.verdict(b"other", 300_000, crc(&long)), Verdict::Damaged);
}

#[test]
fn what_was_replaced_or_may_be_merged_is_not_missed_later() {
    let replaced = Kept::parse(&kept(&tar(&[file("f", b"1"), file("f", b"2")]))).unwrap();
    assert_eq!((replaced.exact, replaced.verdict(b"f", 1, crc(b"2"))), (false, Verdict::Whole));
    assert!(!Kept::parse(&kept(&tar(&[file("implied/f", b"1")]))).unwrap().exact);
}

#[test]
fn what_is_unfinished_or_of_another_version_is_nothing_to_compare_with() {
    let whole = kept(&tar(&[file("f", b"1")]));
    assert!(Kept::parse(&whole).is_some());
    let mut unfinished = whole.clone();
    unfinished[..HEADER_BYTES].fill(0);
    let newer = [b"berth-sums 2\n\0\x01\0".as_slice(), &whole[HEADER_BYTES..]].concat();
    for bytes in [&whole[..whole.len() - 1], &whole[..HEADER_BYTES - 1], b"", &unfinished, &newer] {
        assert_eq!(Kept::parse(bytes), None);
    }
}
