//! A tar archive as a stream of entries, each with its long names and PAX records already applied.

mod entry;
mod header;
mod pax;
mod sparse;

use std::io::BufRead;

use self::entry::malformed;
pub use self::entry::{Entry, Kind, quoted};
pub use self::header::BLOCK_BYTES;
use self::header::{Block, Header};
use self::pax::Extension;
pub use self::sparse::Sparse;
use self::sparse::{DataMap, Records};
use super::fault;
use super::limits::{EXTENSIONS, NAME_BYTES, PAX_BYTES, exceeded};
use crate::frame::FrameError;

/// Reads entries off `source`.
pub struct Archive<R> {
    source: R,
    /// Data of the present entry not yet read, and the padding behind it.
    data_left: u64,
    padding: u64,
}

impl<R: BufRead> Archive<R> {
    pub fn new(source: R) -> Self {
        Self { source, data_left: 0, padding: 0 }
    }

    /// A source that is the data of one entry, without a header.
    pub fn of_one(source: R, size: u64) -> Self {
        Self { source, data_left: size, padding: 0 }
    }

    /// The next entry, what is left of the one before skipped; `None` at the end of the archive.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, FrameError> {
        let mut extension = Extension::default();
        for _ in 0..=EXTENSIONS {
            self.skip_data()?;
            let Some(header) = self.next_header()? else { return Ok(None) };
            self.expect_data(header.size);
            match header.kind {
                b'x' => {
                    let records = self.extension_data(PAX_BYTES, "bytes of PAX header")?;
                    extension.read(&records).map_err(|fault| malformed(&header.name, &fault))?;
                }
                b'L' => extension.path = Some(self.long_name()?),
                b'K' => extension.link = Some(self.long_name()?),
                // Global PAX headers hold comments (git archive); no unpacker of layers applies them.
                b'g' => {}
                _ => {
                    return self.entry(header, extension).map(Some);
                }
            }
        }
        Err(exceeded("extension headers before one entry", EXTENSIONS as u64))
    }

    fn entry(&mut self, mut header: Header, mut extension: Extension) -> Result<Entry, FrameError> {
        let old = header.sparse.take();
        let records = std::mem::take(&mut extension.sparse);
        let mut entry = Entry::new(header, extension)?;
        self.expect_data(entry.size);
        if entry.kind == Kind::File && (old.is_some() || records.any()) {
            let sparse = self.sparse(old, records, &entry.name)?;
            let checked = sparse.check(self.data_left).map_err(|fault| malformed(&entry.name, &fault))?;
            entry.sparse = Some(checked);
            entry.size = self.data_left;
        }
        Ok(entry)
    }

    /// The map of a sparse file from wherever its form has it: blocks after the header, records, or the data's start.
    fn sparse(&mut self, old: Option<(Sparse, bool)>, records: Records, name: &[u8]) -> Result<Sparse, FrameError> {
        let fault = |fault: String| malformed(name, &fault);
        if let Some((mut sparse, mut more)) = old {
            while more {
                let block = self.next_block()?.ok_or_else(truncated)?;
                more = sparse::read_block(&block, &mut sparse).map_err(fault)?;
            }
            return Ok(sparse);
        }
        if !records.map_is_in_data() {
            return records.finish(None).map_err(fault);
        }
        let mut map = DataMap::default();
        loop {
            let Some(left) = self.data_left.checked_sub(BLOCK_BYTES as u64) else { return Err(truncated()) };
            let block = self.next_block()?.ok_or_else(truncated)?;
            self.data_left = left;
            if let Some(parts) = map.read(&block).map_err(fault)? {
                return records.finish(Some(parts)).map_err(fault);
            }
        }
    }

    /// Data of the present entry that lies ready; empty when there is no more.
    pub fn fill_data(&mut self) -> Result<&[u8], FrameError> {
        if self.data_left == 0 {
            return Ok(&[]);
        }
        let available = self.source.fill_buf().map_err(fault::unwrap)?;
        if available.is_empty() {
            return Err(truncated());
        }
        let count = available.len().min(usize::try_from(self.data_left).unwrap_or(usize::MAX));
        Ok(&available[..count])
    }

    /// Marks `count` bytes of [`Archive::fill_data`] as read.
    pub fn consume_data(&mut self, count: usize) {
        self.source.consume(count);
        self.data_left -= count as u64;
    }

    pub fn into_source(self) -> R {
        self.source
    }

    /// The next header block; `None` at two zero blocks or where the source ends between entries.
    fn next_header(&mut self) -> Result<Option<Header>, FrameError> {
        let mut zero_blocks = 0;
        while zero_blocks < 2 {
            let Some(block) = self.next_block()? else { return Ok(None) };
            if block.iter().any(|byte| *byte != 0) {
                return header::parse(&block).map(Some).map_err(|fault| malformed(&block[..100], &fault));
            }
            zero_blocks += 1;
        }
        Ok(None)
    }

    fn next_block(&mut self) -> Result<Option<Block>, FrameError> {
        let mut block = [0; BLOCK_BYTES];
        let mut filled = 0;
        while filled < BLOCK_BYTES {
            let available = self.source.fill_buf().map_err(fault::unwrap)?;
            if available.is_empty() {
                return if filled == 0 { Ok(None) } else { Err(truncated()) };
            }
            let count = available.len().min(BLOCK_BYTES - filled);
            block[filled..filled + count].copy_from_slice(&available[..count]);
            self.source.consume(count);
            filled += count;
        }
        Ok(Some(block))
    }

    fn expect_data(&mut self, size: u64) {
        self.data_left = size;
        self.padding = size.wrapping_neg() % BLOCK_BYTES as u64;
    }

    fn skip_data(&mut self) -> Result<(), FrameError> {
        self.data_left += std::mem::take(&mut self.padding);
        loop {
            let count = self.fill_data()?.len();
            if count == 0 {
                return Ok(());
            }
            self.consume_data(count);
        }
    }

    fn extension_data(&mut self, limit: u64, what: &str) -> Result<Vec<u8>, FrameError> {
        if self.data_left > limit {
            return Err(exceeded(what, limit));
        }
        let mut data = Vec::new();
        loop {
            let part = self.fill_data()?;
            if part.is_empty() {
                return Ok(data);
            }
            data.extend_from_slice(part);
            let count = part.len();
            self.consume_data(count);
        }
    }

    /// The data of a GNU long name or long link header, which ends at its first zero byte.
    fn long_name(&mut self) -> Result<Vec<u8>, FrameError> {
        let mut name = self.extension_data(NAME_BYTES as u64 + 1, "bytes in a name")?;
        name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
        Ok(name)
    }
}

fn truncated() -> FrameError {
    FrameError::new("corrupt", "the archive ends in the middle of an entry")
}
