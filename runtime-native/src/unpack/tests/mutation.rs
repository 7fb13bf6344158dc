//! Archives with bytes changed at random: whatever they say, nothing panics and nothing lands outside.

use super::archive::{Item, directory, extension, file, hardlink, pax, symlink, tar};
use super::scratch::unpack;
use crate::unpack::limits::Limits;

const ROUNDS: u32 = 400;
const BLOCK: usize = 512;

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn a_changed_archive_harms_nothing() {
    let records = pax(&[("path", b"long/name"), ("size", b"3"), ("mtime", b"1.5"), ("SCHILY.xattr.user.a", b"b")]);
    let original = tar(&[
        directory("d"),
        Item { owner: (1, 2), ..file("d/f", b"data") },
        extension(b'x', &records),
        file("x", b"abc"),
        extension(b'L', b"gnu/long/name\0"),
        symlink("y", "../../d"),
        hardlink("h", "d/f"),
        file("d/.wh.gone", b""),
        file("d/.wh..wh..opq", b""),
        Item { kind: b'6', ..file("p", b"") },
    ]);
    let mut dice = Dice(1);
    for _ in 0..ROUNDS {
        let mut archive = original.clone();
        for _ in 0..=dice.below(6) {
            let at = dice.below(archive.len());
            let interesting = [0, b'/', b'.', b'0', b'7', b'9', b'=', 0x80, 0xff, dice.below(256) as u8];
            archive[at] = interesting[dice.below(interesting.len())];
        }
        archive.chunks_exact_mut(BLOCK).filter(|block| &block[257..262] == b"ustar").for_each(correct_sum);
        let (scratch, outcome) = unpack(&archive, Limits { inodes: 100, ..Limits::default() });
        assert_eq!(scratch.outside(), ["layer"], "{outcome:?}");
    }
}

fn correct_sum(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}
