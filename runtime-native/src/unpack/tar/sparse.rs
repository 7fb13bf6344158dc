//! GNU sparse files: the archive holds only some parts of the file, between them are zeros (GNU tar manual, "Storing
//! Sparse Files"). No I/O.

use super::header::{BLOCK_BYTES, Block, number};

/// Parts of one file; far more than files have that were not made to be a burden.
const PARTS_MAX: usize = 100_000;
/// Where the old form keeps parts in the entry's header and in the blocks after it, and how many.
const IN_HEADER: (usize, usize) = (386, 4);
const IN_BLOCK: (usize, usize) = (0, 21);
const PART_BYTES: usize = 24;
/// Longest line of a map: 2^63 and its line feed.
const LINE_BYTES: usize = 20;

/// What a file holds besides zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sparse {
    /// Offset and length of each part, ascending, as their data follow each other in the archive.
    pub parts: Vec<(u64, u64)>,
    /// Bytes of the file with its zeros.
    pub size: u64,
}

impl Sparse {
    /// Refuses parts that overlap, lie outside the file or are not the `stored` bytes that the archive has of them.
    pub fn check(self, stored: u64) -> Result<Self, String> {
        let mut end = 0u64;
        let mut sum = 0u64;
        for (offset, length) in &self.parts {
            let part_end = offset.checked_add(*length).filter(|part_end| *offset >= end && *part_end <= self.size);
            end = part_end.ok_or("its sparse map is malformed")?;
            sum += length;
        }
        if sum == stored { Ok(self) } else { Err("its sparse map is not of its data".to_owned()) }
    }

    /// Bytes that the file takes on a disk that allocates `unit` at a time.
    pub fn allocated(&self, unit: u64) -> u64 {
        let (mut units, mut free_from) = (0, 0);
        for (offset, length) in self.parts.iter().filter(|(_, length)| *length > 0) {
            let end = (offset + length).div_ceil(unit);
            units += end - free_from.max(offset / unit);
            free_from = end;
        }
        units * unit
    }
}

/// The map of the old form (type `S`) while its blocks are read; `true` as long as one more follows.
pub fn read_header(block: &Block) -> Result<(Sparse, bool), String> {
    let size = positive(&block[483..495])?;
    let mut sparse = Sparse { parts: Vec::new(), size };
    let more = read_parts(block, IN_HEADER, &mut sparse)?;
    Ok((sparse, more))
}

/// One more block of the old form.
pub fn read_block(block: &Block, sparse: &mut Sparse) -> Result<bool, String> {
    read_parts(block, IN_BLOCK, sparse)
}

fn read_parts(block: &Block, (from, count): (usize, usize), sparse: &mut Sparse) -> Result<bool, String> {
    let end = from + count * PART_BYTES;
    for part in block[from..end].chunks_exact(PART_BYTES) {
        // A part that is all zeros is room not used.
        if part[0] != 0 {
            push(&mut sparse.parts, positive(&part[..12])?, positive(&part[12..])?)?;
        }
    }
    Ok(block[end] != 0)
}

/// The records `GNU.sparse.*` of a PAX header, all three versions of them.
#[derive(Debug, Default)]
pub struct Records {
    size: Option<u64>,
    offset: Option<u64>,
    parts: Vec<(u64, u64)>,
    in_data: bool,
    seen: bool,
}

impl Records {
    /// Takes in one record, its key without the prefix; the file's name (`name`) is the caller's.
    pub fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        self.seen = true;
        match key {
            b"size" | b"realsize" => self.size = Some(decimal(value)?),
            b"major" => self.in_data = value == b"1",
            b"offset" => self.offset = Some(decimal(value)?),
            b"numbytes" => push(&mut self.parts, self.offset.take().ok_or_else(malformed)?, decimal(value)?)?,
            b"map" => self.parts = pairs(value.split(|byte| *byte == b','))?,
            _ => {}
        }
        Ok(())
    }

    /// True when the map stands before the file's data (version 1.0).
    pub fn map_is_in_data(&self) -> bool {
        self.in_data
    }

    /// True when the entry is a sparse file by any version.
    pub fn any(&self) -> bool {
        self.seen
    }

    /// The file, with the parts of version 1.0 where they were read from its data.
    pub fn finish(self, parts: Option<Vec<(u64, u64)>>) -> Result<Sparse, String> {
        Ok(Sparse { parts: parts.unwrap_or(self.parts), size: self.size.ok_or_else(malformed)? })
    }
}

/// The map of version 1.0 from the start of the file's data: lines of decimal numbers, how many parts first.
#[derive(Debug, Default)]
pub struct DataMap {
    text: Vec<u8>,
    lines: usize,
    /// Lines of the whole map, once the first one has told.
    wanted: Option<usize>,
}

impl DataMap {
    /// Takes in one block; the parts once that was the last of the map.
    pub fn read(&mut self, block: &[u8]) -> Result<Option<Vec<(u64, u64)>>, String> {
        self.text.extend_from_slice(block);
        self.lines += block.iter().filter(|byte| **byte == b'\n').count();
        let mut lines = self.text.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let wanted = match self.wanted {
            Some(wanted) => wanted,
            None => {
                let count = usize::try_from(decimal(first)?).ok().filter(|count| *count <= PARTS_MAX);
                *self.wanted.insert(1 + 2 * count.ok_or_else(too_many)?)
            }
        };
        if self.lines >= wanted {
            return pairs(lines.take(wanted - 1)).map(Some);
        }
        if self.text.len() > wanted * LINE_BYTES + BLOCK_BYTES { Err(malformed()) } else { Ok(None) }
    }
}

fn pairs<'a>(mut numbers: impl Iterator<Item = &'a [u8]>) -> Result<Vec<(u64, u64)>, String> {
    let mut parts = Vec::new();
    while let Some(offset) = numbers.next() {
        push(&mut parts, decimal(offset)?, decimal(numbers.next().ok_or_else(malformed)?)?)?;
    }
    Ok(parts)
}

fn push(parts: &mut Vec<(u64, u64)>, offset: u64, length: u64) -> Result<(), String> {
    if parts.len() >= PARTS_MAX {
        return Err(too_many());
    }
    parts.push((offset, length));
    Ok(())
}

fn positive(field: &[u8]) -> Result<u64, String> {
    u64::try_from(number("sparse map", field)?).map_err(|_| malformed())
}

fn decimal(digits: &[u8]) -> Result<u64, String> {
    super::pax::decimal(digits).filter(|value| i64::try_from(*value).is_ok()).ok_or_else(malformed)
}

fn malformed() -> String {
    "its sparse map is malformed".to_owned()
}

fn too_many() -> String {
    format!("its sparse map has more than {PARTS_MAX} parts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_must_ascend_lie_in_the_file_and_be_its_data() {
        let check = |parts: &[(u64, u64)], size| Sparse { parts: parts.to_vec(), size }.check(4);
        assert!(check(&[(0, 2), (10, 2), (12, 0)], 12).is_ok());
        assert!(check(&[(0, 2), (1, 2)], 12).is_err());
        assert!(check(&[(10, 2), (0, 2)], 12).is_err());
        assert!(check(&[(0, 2), (10, 2)], 11).is_err());
        assert!(check(&[(0, 3)], 12).is_err());
        assert!(check(&[(u64::MAX, 4)], u64::MAX).is_err());
    }

    #[test]
    fn a_sparse_file_takes_the_units_that_its_parts_touch() {
        let allocated = |parts: &[(u64, u64)]| Sparse { parts: parts.to_vec(), size: 0 }.allocated(10);
        assert_eq!(allocated(&[]), 0);
        assert_eq!(allocated(&[(0, 1), (3, 1), (9, 2), (19, 1), (50, 0)]), 20);
        assert_eq!(allocated(&[(5, 20), (100, 10)]), 40);
    }

    #[test]
    fn a_map_in_the_data_ends_with_its_last_number() {
        let mut map = DataMap::default();
        assert_eq!(map.read(b"2\n0\n1\n").unwrap(), None);
        assert_eq!(map.read(b"512\n7\n\0\0\0").unwrap().unwrap(), [(0, 1), (512, 7)]);
        assert!(DataMap::default().read(b"100001\n").is_err());
        assert!(DataMap::default().read(b"x\n").is_err());
        assert!(DataMap::default().read(&[b'1'; BLOCK_BYTES]).is_err());
    }
}
