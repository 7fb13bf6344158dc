//! One 512-byte header block: ustar (POSIX), GNU and the older v7 form. No I/O.

use super::sparse::{self, Sparse};

/// Size of a header, and the unit that data is padded to.
pub const BLOCK_BYTES: usize = 512;
pub type Block = [u8; BLOCK_BYTES];

/// The fields of a header block, as they stand there.
#[derive(Debug)]
pub struct Header {
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: u8,
    pub mode: u64,
    pub uid: u64,
    pub gid: u64,
    pub size: u64,
    pub mtime: i64,
    pub major: u64,
    pub minor: u64,
    /// What the header of an old sparse file says of its parts; `true` when a block with more of them follows.
    pub sparse: Option<(Sparse, bool)>,
}

/// Reads `block`; the error says which field is malformed.
pub fn parse(block: &Block) -> Result<Header, String> {
    check_sum(block)?;
    let positive = |name: &str, from: usize, to: usize| {
        u64::try_from(number(name, &block[from..to])?).map_err(|_| format!("its {name} is negative"))
    };
    let kind = block[156];
    let is_device = matches!(kind, b'3' | b'4');
    Ok(Header {
        name: full_name(block),
        link: text(&block[157..257]).to_vec(),
        kind,
        mode: positive("mode", 100, 108)?,
        uid: positive("uid", 108, 116)?,
        gid: positive("gid", 116, 124)?,
        size: positive("size", 124, 136)?,
        mtime: number("mtime", &block[136..148])?,
        major: if is_device { positive("device major", 329, 337)? } else { 0 },
        minor: if is_device { positive("device minor", 337, 345)? } else { 0 },
        sparse: if kind == b'S' { Some(sparse::read_header(block)?) } else { None },
    })
}

/// The sum of all bytes with the sum's own field as blanks; some old writers took bytes as signed.
fn check_sum(block: &Block) -> Result<(), String> {
    let stated = number("checksum", &block[148..156])?;
    let byte_at = |index: usize| if (148..156).contains(&index) { b' ' } else { block[index] };
    let unsigned: i64 = (0..BLOCK_BYTES).map(|index| i64::from(byte_at(index))).sum();
    let signed: i64 = (0..BLOCK_BYTES).map(|index| i64::from(byte_at(index) as i8)).sum();
    if stated == unsigned || stated == signed { Ok(()) } else { Err("its checksum is wrong".to_owned()) }
}

fn full_name(block: &Block) -> Vec<u8> {
    let name = text(&block[..100]);
    let prefix: &[u8] = match (&block[257..263], &block[508..512]) {
        (b"ustar\0", b"tar\0") => text(&block[345..476]),
        (b"ustar\0", _) => text(&block[345..500]),
        _ => b"",
    };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Octal digits between blanks, or big-endian base 256 when the first bit is set (GNU, star).
pub fn number(name: &str, field: &[u8]) -> Result<i64, String> {
    let malformed = || format!("its {name} is not a number");
    if field[0] & 0x80 != 0 {
        let negative = field[0] & 0x40 != 0;
        let first = if negative { i64::from(field[0]) - 256 } else { i64::from(field[0] & 0x3f) };
        return field[1..]
            .iter()
            .try_fold(first, |value, byte| value.checked_mul(256)?.checked_add(i64::from(*byte)))
            .ok_or_else(malformed);
    }
    let digits = text(field).trim_ascii();
    digits.iter().try_fold(0i64, |value, digit| match digit {
        b'0'..=b'7' => Ok(value << 3 | i64::from(digit - b'0')),
        _ => Err(malformed()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_octal_and_in_base_256() {
        assert_eq!(number("x", b"0000755\0"), Ok(0o755));
        assert_eq!(number("x", b"   755 \0"), Ok(0o755));
        assert_eq!(number("x", b"\0\0\0\0"), Ok(0));
        assert_eq!(number("x", &[0x80, 0, 0, 1, 0]), Ok(256));
        assert_eq!(number("x", &[0xff; 12]), Ok(-1));
        assert!(number("x", b"12a\0").is_err());
        assert!(number("x", &[0xbf; 12]).is_err());
    }

    #[test]
    fn a_block_with_a_wrong_sum_is_refused() {
        let mut block = [0; BLOCK_BYTES];
        block[0] = b'a';
        assert!(parse(&block).unwrap_err().contains("checksum"));
        block[148..155].copy_from_slice(format!("{:07o}", 8 * 32 + 97).as_bytes());
        assert_eq!(parse(&block).unwrap().name, b"a");
    }
}
