//! What a layer's files held when they were unpacked, kept beside the layer, so that it can be told later whether they
//! still do. File systems sum their own structures, not what is in files: that is what this is for.
//!
//! A header of 16 bytes, then 8 bytes for each name of a regular file: a sum of name and size, and one of the content
//! (CRC-32), 0 where that is not known. Only the last part of a path counts: the rest may lead through links.

use std::fs::{File, remove_file};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use crc32fast::Hasher;
use rustix::io::Errno;

use super::tree::failed;
use crate::frame::FrameError;

const MAGIC: &[u8; 14] = b"berth-sums 1\n\0";
pub const HEADER_BYTES: usize = 16;

/// The sums of one layer while it is unpacked.
pub struct Sums {
    output: Option<(String, BufWriter<File>)>,
    exact: bool,
}

impl Sums {
    /// Kept in the new file `path`; nowhere when that is empty.
    pub fn create(path: &str) -> Result<Self, FrameError> {
        if path.is_empty() {
            return Ok(Self { output: None, exact: false });
        }
        let made = File::options().write(true).create_new(true).mode(0o600).open(path);
        let mut output = BufWriter::new(made.map_err(|error| unwritten(path, &error))?);
        output.write_all(&[0; HEADER_BYTES]).map_err(|error| unwritten(path, &error))?;
        Ok(Self { output: Some((path.to_owned(), output)), exact: true })
    }

    /// Notes a name of a file of `size` bytes with the sum of its content, where that is known.
    pub fn note(&mut self, name: &[u8], size: u64, content: Option<u32>) -> Result<(), FrameError> {
        let Some((path, output)) = &mut self.output else { return Ok(()) };
        output.write_all(&Sum::of(name, size, content).0.to_le_bytes()).map_err(|error| unwritten(path, &error))
    }

    /// Something that was noted is not there any more.
    pub fn blur(&mut self) {
        self.exact = false;
    }

    /// Writes the header: from now on the file counts.
    pub fn finish(self) -> Result<(), FrameError> {
        let Some((path, output)) = self.output else { return Ok(()) };
        let finish = || -> io::Result<()> {
            let file = output.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.write_all_at(&[MAGIC.as_slice(), &[u8::from(self.exact), 0]].concat(), 0)
        };
        finish().map_err(|error| unwritten(&path, &error))
    }
}

/// Removes what was kept at `path`, if anything.
pub fn remove(path: &str) {
    let _ = remove_file(path);
}

/// One name of a file with what the file held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum(pub u64);

impl Sum {
    pub fn of(name: &[u8], size: u64, content: Option<u32>) -> Self {
        let mut key = Hasher::new();
        key.update(name);
        key.update(&[0]);
        key.update(&size.to_le_bytes());
        Self(u64::from(key.finalize()) << 32 | u64::from(content.unwrap_or(0)))
    }
}

/// The sums that were kept of a layer; `exact`: every one of them is of a file that was there when it was complete.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// Sorted.
    pub sums: Vec<Sum>,
    pub exact: bool,
}

impl Kept {
    /// Reads the content of a file that `Sums` wrote; none when it is of another version, unfinished or damaged.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_at_checked(HEADER_BYTES)?;
        let exact = *header.strip_prefix(MAGIC.as_slice())?.first()?;
        let (sums, rest) = body.as_chunks::<8>();
        if exact > 1 || !rest.is_empty() {
            return None;
        }
        let mut sums: Vec<_> = sums.iter().map(|sum| Sum(u64::from_le_bytes(*sum))).collect();
        sums.sort_unstable();
        Some(Self { sums, exact: exact == 1 })
    }

    /// What is known of a file of that name, size and content.
    pub fn verdict(&self, name: &[u8], size: u64, content: u32) -> Verdict {
        let any = Sum::of(name, size, None);
        if self.sums.binary_search(&Sum::of(name, size, Some(content))).is_ok() {
            return Verdict::Whole;
        }
        let from = self.sums.partition_point(|sum| *sum < any);
        let of_key = self.sums[from..].iter().take_while(|sum| sum.0 >> 32 == any.0 >> 32);
        match of_key.last() {
            Some(sum) if *sum != any => Verdict::Damaged,
            Some(_) => Verdict::Unknown,
            None => Verdict::Damaged,
        }
    }
}

/// What a file's content is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Whole,
    /// Nothing is known of it but that it was there.
    Unknown,
    Damaged,
}

/// A writer that sums what passes through it.
pub struct Summing<W> {
    output: W,
    content: Hasher,
}

impl<W: Write> Summing<W> {
    pub fn new(output: W) -> Self {
        Self { output, content: Hasher::new() }
    }

    pub fn sum(self) -> u32 {
        self.content.finalize()
    }
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.content.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

fn unwritten(path: &str, error: &io::Error) -> FrameError {
    failed("write", path.as_bytes())(Errno::from_io_error(error).unwrap_or(Errno::IO))
}
