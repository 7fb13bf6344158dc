//! What the tree holds so far.

use crate::frame::FrameError;
use crate::unpack::limits::set_by;

/// Unit in which file systems allocate.
pub const ALLOCATION_BYTES: u64 = 4096;

/// Inodes of the tree and the bytes they take on disk, file sizes rounded up to whole blocks.
#[derive(Debug, Clone, Copy)]
pub struct Tally {
    pub inodes: u64,
    pub used_bytes: u64,
    limit: u64,
}

impl Tally {
    pub fn new(inode_limit: u64) -> Self {
        Self { inodes: 0, used_bytes: 0, limit: inode_limit }
    }

    /// Counts one more inode with `size` bytes of data.
    pub fn add(&mut self, size: u64) -> Result<(), FrameError> {
        if self.inodes >= self.limit {
            return Err(set_by("layer-inodes", "inodes", self.limit));
        }
        self.inodes += 1;
        self.used_bytes += allocated(size);
        Ok(())
    }

    /// Takes one inode back.
    pub fn subtract(&mut self, size: u64) {
        self.inodes = self.inodes.saturating_sub(1);
        self.used_bytes = self.used_bytes.saturating_sub(allocated(size));
    }
}

/// What a directory is counted as, whatever the file system says of its size.
pub const DIRECTORY_SIZE: u64 = ALLOCATION_BYTES;

fn allocated(size: u64) -> u64 {
    size.div_ceil(ALLOCATION_BYTES) * ALLOCATION_BYTES
}
