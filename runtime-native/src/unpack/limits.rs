//! How much a layer may ask for. Layers are foreign bytes: each bound has a name that the error repeats.

use serde::Deserialize;

use crate::frame::FrameError;

/// Bounds of one layer; the defaults are far above any honest image. Those that an operator may move come with the ask.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Bytes of the uncompressed tar.
    pub unpacked_bytes: u64,
    /// Uncompressed bytes for each byte of the blob, looked at beyond `ratio_free_bytes`.
    pub ratio: u64,
    pub ratio_free_bytes: u64,
    /// Inodes of the tree.
    pub inodes: u64,
    /// Entries of the archive; more than inodes, for one path may come twice.
    pub entries: u64,
    /// Bytes of all directory names kept until their metadata is set.
    pub directory_name_bytes: u64,
}

/// Longest entry name or link target, in bytes: PATH_MAX.
pub const NAME_BYTES: usize = 4096;
/// Longest PAX extended header, in bytes.
pub const PAX_BYTES: u64 = 1 << 20;
/// Extension headers (PAX, GNU long name, GNU long link) before one entry.
pub const EXTENSIONS: usize = 16;

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked_bytes: 64 << 30,
            ratio: 1000,
            ratio_free_bytes: 64 << 20,
            inodes: 5_000_000,
            entries: 10_000_000,
            directory_name_bytes: 64 << 20,
        }
    }
}

impl Limits {
    /// Refuses a tar that has grown to `unpacked` bytes out of `blob` bytes when that is beyond bounds.
    pub fn check_growth(&self, unpacked: u64, blob: u64) -> Result<(), FrameError> {
        if unpacked > self.unpacked_bytes {
            return Err(set_by("layer-unpacked-bytes", "unpacked bytes", self.unpacked_bytes));
        }
        if unpacked > self.ratio_free_bytes && unpacked / self.ratio > blob {
            return Err(set_by("layer-ratio", "uncompressed bytes per compressed byte", self.ratio));
        }
        Ok(())
    }

    /// Refuses a file of `size` bytes, holes and all, that the unpacked layer could not have.
    pub fn check_file(&self, size: u64) -> Result<(), FrameError> {
        if size <= self.unpacked_bytes {
            return Ok(());
        }
        Err(set_by("layer-unpacked-bytes", "bytes in one file", self.unpacked_bytes))
    }
}

/// The error for a layer with more than `limit` of `what`, which the daemon's option of that name sets.
pub fn set_by(option: &str, what: &str, limit: u64) -> FrameError {
    FrameError::new("exhausted", format!("more than {limit} {what}, which --{option} allows a layer"))
}

/// The error for a layer with more than `limit` of `what`.
pub fn exceeded(what: &str, limit: u64) -> FrameError {
    FrameError::new("exhausted", format!("more than {limit} {what}, which no layer may have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_high_ratio_is_fine_in_a_small_layer_and_refused_in_a_large_one() {
        let limits = Limits::default();
        assert!(limits.check_growth(64 << 20, 10).is_ok());
        assert!(limits.check_growth(65 << 20, 10).unwrap_err().message.contains("per compressed byte"));
        assert!(limits.check_growth(65 << 20, 1 << 20).is_ok());
        assert!(limits.check_growth((64 << 30) + 1, 64 << 30).unwrap_err().message.contains("unpacked bytes"));
    }
}
