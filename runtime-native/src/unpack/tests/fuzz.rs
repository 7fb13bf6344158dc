//! Readers of archives and compressed bytes, without a tree.

use std::io::{self, BufRead, Read};

use super::archive::mend;
use super::seeds::{archives, compressed};
use crate::fuzz::{Dice, fuzz, mutated};
use crate::unpack::inflate::Inflate;
use crate::unpack::limits::Limits;
use crate::unpack::messages::Compression::{Gzip, None as Plain, Zstd};
use crate::unpack::tar::Archive;

/// An archive gives the same however its bytes come, and no more entries than it has room for.
#[test]
fn tar() {
    fuzz("tar", &archives("../outside"), changed, |input, dice| {
        let whole = entries(input);
        let pieces = entries(Pieces { left: input, ready: 0, dice: Dice::new(dice.next()) });
        assert_eq!(whole, pieces, "whole and in pieces");
        assert!(whole.len() / 2 <= input.len() / 512);
        whole.iter().map(|told| told.split(' ').take(2).collect::<String>()).take(20).collect()
    });
}

/// Most inputs get right sums again, for nothing is read behind a wrong one.
pub fn changed(inputs: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut input = mutated(inputs, dice);
    if dice.below(16) > 0 {
        mend(&mut input);
    }
    input
}

/// What the archive has, each entry with a sum of its data; an error ends it.
fn entries(source: impl BufRead) -> Vec<String> {
    let mut archive = Archive::new(source);
    let mut told = Vec::new();
    loop {
        match archive.next_entry() {
            Ok(None) => return told,
            Ok(Some(entry)) => told.push(format!("{:?} {entry:?}", std::mem::discriminant(&entry.kind))),
            Err(error) => {
                told.push(format!("{} {}", error.kind, error.message));
                return told;
            }
        }
        let (mut sum, mut bytes) = (0u64, 0usize);
        loop {
            match archive.fill_data() {
                Ok([]) => break,
                Ok(part) => {
                    sum = part.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
                    bytes += part.len();
                    let count = part.len();
                    archive.consume_data(count);
                }
                Err(error) => {
                    told.push(format!("{} {}", error.kind, error.message));
                    return told;
                }
            }
        }
        told.push(format!("{bytes} bytes, sum {sum}"));
    }
}

struct Pieces<'a> {
    left: &'a [u8],
    /// Bytes of the piece that lies ready.
    ready: usize,
    dice: Dice,
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.ready == 0 {
            self.ready = self.left.len().min(1 + self.dice.below(700));
        }
        Ok(&self.left[..self.ready])
    }

    fn consume(&mut self, count: usize) {
        self.left = &self.left[count..];
        self.ready -= count;
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.left[..count]);
        self.consume(count);
        Ok(count)
    }
}

/// A blob ends, in an error or not, with no more bytes than a layer may have for its size.
#[test]
fn inflate() {
    let limits = Limits { unpacked_bytes: 8 << 20, ratio_free_bytes: 1 << 20, ..Limits::default() };
    fuzz("inflate", &compressed(), mutated, |input, _| {
        let told = [Gzip, Zstd, Plain].map(|compression| {
            let Ok(mut inflate) = Inflate::new(compression, input) else { return "no decoder".to_owned() };
            let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
            loop {
                match inflate.read(&mut buffer) {
                    Ok(0) => return format!("whole {}", bytes > 0),
                    Ok(count) => bytes += count as u64,
                    Err(error) => return error.to_string(),
                }
                if let Err(error) = limits.check_growth(bytes, input.len() as u64) {
                    return error.message;
                }
            }
        });
        told.join(", ")
    });
}
