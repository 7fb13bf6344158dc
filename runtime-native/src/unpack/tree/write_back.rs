//! A file's bytes on their way to the disk while the rest of the layer still comes, so that the commit of the image finds
//! little left to wait for. Nothing is waited for here.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

/// Bytes of one file that are handed to the disk at a time.
const PIECE_BYTES: u64 = 8 << 20;
/// Less than this waits for the commit: the disk takes many small files best together.
const LEAST_BYTES: u64 = 256 << 10;

/// Writes to a file from its start, and has it written out piece by piece.
pub struct WriteBack<'a> {
    file: &'a mut File,
    /// What has been handed to the disk ends here, and what has been written there.
    begun: u64,
    written: u64,
}

impl<'a> WriteBack<'a> {
    pub fn new(file: &'a mut File) -> Self {
        Self { file, begun: 0, written: 0 }
    }

    fn begin(&mut self) {
        let (from, bytes) = (self.begun as i64, (self.written - self.begun) as i64);
        self.begun = self.written;
        // SAFETY: sync_file_range takes numbers only; the descriptor is open, for `self` borrows its file.
        // A disk that fails says so to the commit.
        unsafe { libc::sync_file_range(self.file.as_raw_fd(), from, bytes, libc::SYNC_FILE_RANGE_WRITE) };
    }
}

impl Write for WriteBack<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        if self.written - self.begun >= PIECE_BYTES {
            self.begin();
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.written - self.begun >= LEAST_BYTES {
            self.begin();
        }
        Ok(())
    }
}
