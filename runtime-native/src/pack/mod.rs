//! A layer's tree as a tar again, for an image that leaves this machine: the reverse of `unpack`. The same tree gives
//! the same bytes: entries in the order of their names, nothing of the machine or the moment in them.

mod record;
#[cfg(test)]
mod tests;
mod tree;

use std::fs::{File, remove_file};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use self::tree::Tree;
use crate::frame::FrameError;
use crate::unpack::{decimal, hex};

/// A layer's directory, and the file that its tar shall be written to; the file must not exist.
#[derive(Debug, Deserialize)]
pub struct PackLayerAsk {
    pub directory: String,
    pub target: String,
}

/// The digest of the tar (`sha256:…`), which is the layer's diffID, and its size.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackedLayer {
    pub digest: String,
    #[serde(serialize_with = "decimal")]
    pub size_bytes: u64,
}

/// Writes the tree at `ask.directory` to `ask.target`. On any error nothing is left there. `check` is asked often and
/// ends the work by its error. Kinds: `exists`, `not-found`, `exhausted` (the disk), `internal`.
pub fn pack_layer(ask: &PackLayerAsk, check: &dyn Fn() -> Result<(), FrameError>) -> Result<PackedLayer, FrameError> {
    let failed = |doing: &str, error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound => "not-found",
            io::ErrorKind::AlreadyExists => "exists",
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "exhausted",
            _ => "internal",
        };
        FrameError::new(kind, format!("could not {doing}: {error}"))
    };
    let tree = Tree::open(&ask.directory).map_err(|error| failed(&format!("open {}", ask.directory), error.into()))?;
    let made = File::options().write(true).create_new(true).mode(0o600).open(&ask.target);
    let file = made.map_err(|error| failed(&format!("make {}", ask.target), error))?;
    let mut output = Summed::new(BufWriter::with_capacity(128 << 10, file));
    let written = tree.write(&mut output, check).and_then(|()| output.finish());
    written.map_err(|error| {
        let _ = remove_file(&ask.target);
        check().err().unwrap_or_else(|| failed(&format!("pack {} to {}", ask.directory, ask.target), error))
    })
}

/// A writer that sums what passes through it.
struct Summed<W> {
    output: W,
    context: Context,
    bytes: u64,
}

impl<W: Write> Summed<W> {
    fn new(output: W) -> Self {
        Self { output, context: Context::new(&SHA256), bytes: 0 }
    }

    fn finish(mut self) -> io::Result<PackedLayer> {
        self.output.flush()?;
        let digest = format!("sha256:{}", hex(self.context.finish().as_ref()));
        Ok(PackedLayer { digest, size_bytes: self.bytes })
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let count = self.output.write(part)?;
        self.context.update(&part[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}
