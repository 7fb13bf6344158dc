//! A blob that lies in a file: exactly its declared bytes from its offset on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::fault;
use super::messages::Section;
use super::stream::Flow;
use crate::frame::FrameError;

/// Reads the blob and nothing after it.
pub struct SectionReader {
    file: io::Take<File>,
    flow: Arc<Flow>,
}

impl SectionReader {
    /// Opens the file of `section`; `not-found` or `unavailable` when that cannot be.
    pub fn new(section: &Section, size_bytes: u64, flow: Arc<Flow>) -> Result<Self, FrameError> {
        let failed = |error: io::Error| {
            let kind = if error.kind() == io::ErrorKind::NotFound { "not-found" } else { "unavailable" };
            FrameError::new(kind, format!("could not open {}: {error}", section.path))
        };
        let mut file = File::open(&section.path).map_err(failed)?;
        file.seek(SeekFrom::Start(section.offset)).map_err(failed)?;
        Ok(Self { file: file.take(size_bytes), flow })
    }
}

impl Read for SectionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.file.limit();
        let count = self.file.read(buffer).map_err(|error| {
            fault::wrap(FrameError::new("unavailable", format!("could not read the archive: {error}")))
        })?;
        if count == 0 && left > 0 && !buffer.is_empty() {
            let message = format!("the archive ends {left} bytes before the blob does");
            return Err(fault::wrap(FrameError::new("corrupt", message)));
        }
        self.flow.blob_bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
