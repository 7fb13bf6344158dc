//! One entry's header: ustar, with PAX records before it for what ustar has no room for (POSIX.1-2017, pax). No I/O.

use crate::unpack::BLOCK_BYTES;

/// What an entry says besides its data.
#[derive(Debug, Clone, Default)]
pub struct Record {
    pub name: Vec<u8>,
    /// As in the header's typeflag: `0` file, `1` hard link, `2` symlink, `3` and `4` devices, `5` directory, `6` fifo.
    pub kind: u8,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    pub size: u64,
    pub link: Vec<u8>,
    pub device: (u32, u32),
    /// Sorted by name.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

const NAME_BYTES: usize = 100;
/// Digits that fit the number fields of 8 and of 12 bytes.
const SMALL_MAX: u64 = 0o7_777_777;
const LARGE_MAX: u64 = 0o77_777_777_777;

impl Record {
    /// The blocks before the entry's data.
    pub fn header(&self) -> Vec<u8> {
        let extension = self.extension();
        let mut blocks = Vec::new();
        if !extension.is_empty() {
            let size = extension.len() as u64;
            let record = Self { name: b"PaxHeader".to_vec(), kind: b'x', mode: 0o644, size, ..Self::default() };
            blocks.extend_from_slice(&record.block());
            blocks.extend_from_slice(&extension);
            blocks.resize(blocks.len().next_multiple_of(BLOCK_BYTES), 0);
        }
        blocks.extend_from_slice(&self.block());
        blocks
    }

    fn block(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &self.name[..self.name.len().min(NAME_BYTES)]);
        put(100, format!("{:07o}", self.mode).as_bytes());
        put(108, format!("{:07o}", fitting(self.uid.into(), SMALL_MAX)).as_bytes());
        put(116, format!("{:07o}", fitting(self.gid.into(), SMALL_MAX)).as_bytes());
        put(124, format!("{:011o}", fitting(self.size, LARGE_MAX)).as_bytes());
        let seconds = u64::try_from(self.mtime.0).unwrap_or(0);
        put(136, format!("{:011o}", fitting(seconds, LARGE_MAX)).as_bytes());
        put(148, b"        ");
        put(156, &[self.kind]);
        put(157, &self.link[..self.link.len().min(NAME_BYTES)]);
        put(257, b"ustar\x0000");
        put(329, format!("{:07o}", fitting(self.device.0.into(), SMALL_MAX)).as_bytes());
        put(337, format!("{:07o}", fitting(self.device.1.into(), SMALL_MAX)).as_bytes());
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        block
    }

    fn extension(&self) -> Vec<u8> {
        let mut records = Vec::new();
        let mut add = |key: &[u8], value: &[u8]| append(&mut records, key, value);
        if self.name.len() > NAME_BYTES {
            add(b"path", &self.name);
        }
        if self.link.len() > NAME_BYTES {
            add(b"linkpath", &self.link);
        }
        for (key, id) in [(b"uid", self.uid), (b"gid", self.gid)] {
            if u64::from(id) > SMALL_MAX {
                add(key, id.to_string().as_bytes());
            }
        }
        if self.size > LARGE_MAX {
            add(b"size", self.size.to_string().as_bytes());
        }
        let (seconds, nanoseconds) = self.mtime;
        if nanoseconds != 0 || u64::try_from(seconds).is_ok_and(|seconds| seconds > LARGE_MAX) || seconds < 0 {
            add(b"mtime", decimal(seconds, nanoseconds).as_bytes());
        }
        for (name, value) in &self.xattrs {
            add(&[b"SCHILY.xattr.".as_slice(), name].concat(), value);
        }
        records
    }
}

/// What does not fit is told by a PAX record, and by nothing here.
fn fitting(value: u64, most: u64) -> u64 {
    if value <= most { value } else { 0 }
}

/// Seconds with their fraction; a time before 1970 counts from its second backwards.
fn decimal(seconds: i64, nanoseconds: u32) -> String {
    if nanoseconds == 0 {
        return seconds.to_string();
    }
    let (sign, whole, fraction) = match seconds {
        0.. => ("", seconds, nanoseconds),
        _ => ("-", -(seconds + 1), 1_000_000_000 - nanoseconds),
    };
    format!("{sign}{whole}.{}", format!("{fraction:09}").trim_end_matches('0'))
}

/// `LENGTH KEY=VALUE\n`, where the length counts itself.
fn append(records: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while body + length.to_string().len() != length {
        length = body + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} ").as_bytes());
    records.extend_from_slice(key);
    records.push(b'=');
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_length_of_a_record_counts_its_own_digits() {
        for value in 0..200 {
            let mut records = Vec::new();
            append(&mut records, b"key", &vec![b'v'; value]);
            let text = String::from_utf8(records).unwrap();
            assert_eq!(text.split(' ').next().unwrap().parse::<usize>().unwrap(), text.len());
        }
    }

    #[test]
    fn times_are_decimal_with_their_fraction_also_before_1970() {
        assert_eq!(decimal(5, 0), "5");
        assert_eq!(decimal(5, 250_000_000), "5.25");
        assert_eq!(decimal(-3, 0), "-3");
        assert_eq!(decimal(-2, 750_000_000), "-1.25");
        assert_eq!(decimal(-1, 1), "-0.999999999");
    }
}
