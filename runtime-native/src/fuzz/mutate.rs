//! Inputs made of others.

use super::Dice;

/// Longest input made, in bytes.
const INPUT_BYTES: usize = 32 << 10;

/// Bytes and words that parsers tend to trip over.
const WORDS: [&[u8]; 30] = [
    b"",
    b"\0",
    b"\n",
    b" ",
    b"/",
    b"..",
    b"../",
    b"./",
    b".wh.",
    b".wh..wh..opq",
    b"=",
    b"-1",
    b"0",
    b"7",
    b"9",
    b"a",
    b"00000000000",
    b"77777777777",
    b"9223372036854775807",
    b"18446744073709551615",
    b"\x80\0\0\0",
    b"\xff\xff\xff\xff",
    b"ustar\x0000",
    b"ustar  \0",
    b"{",
    b"}",
    b"\"",
    b"null",
    b"size=",
    b"GNU.sparse.",
];

/// One of the inputs with one to eight changes.
pub fn mutated(inputs: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = inputs[dice.below(inputs.len())].clone();
    for _ in 0..=dice.below(8) {
        change(&mut bytes, inputs, dice);
    }
    bytes.truncate(INPUT_BYTES);
    bytes
}

/// For targets that make their inputs themselves, of a few random bytes.
pub fn unchanged(_: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    dice.next().to_le_bytes().to_vec()
}

fn change(bytes: &mut Vec<u8>, inputs: &[Vec<u8>], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let longest = [4, 16, 64, 1024][dice.below(4)];
    let length = 1 + dice.below(longest);
    let to = bytes.len().min(at + length);
    match dice.below(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => bytes[at] = dice.next() as u8,
        2 => drop(bytes.drain(at..to)),
        3 => drop(bytes.splice(at..at, WORDS[dice.below(WORDS.len())].iter().copied())),
        4 => overwrite(bytes, at, WORDS[dice.below(WORDS.len())]),
        5 => {
            let part = bytes[at..to].to_vec();
            drop(bytes.splice(at..at, part));
        }
        6 => {
            let other = &inputs[dice.below(inputs.len())];
            let from = dice.below(other.len() + 1);
            let end = other.len().min(from + 512 * (1 + dice.below(4)));
            drop(bytes.splice(at..at, other[from..end].iter().copied()));
        }
        // Whole blocks change places, which is where archives have their headers.
        _ => {
            let block = 512 * dice.below(bytes.len() / 512 + 1);
            let part = bytes[block..bytes.len().min(block + 512)].to_vec();
            let to = 512 * dice.below(bytes.len() / 512 + 1);
            drop(bytes.splice(to..to, part));
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, word: &[u8]) {
    let end = bytes.len().min(at + word.len());
    bytes[at..end].copy_from_slice(&word[..end - at]);
}
