//! Layers: fetched, verified and unpacked in one pass, with nothing kept unless every digest is right.
//!
//! Bytes flow `fetch` → `digest` → `inflate` (one thread) → `digest` → `tar` → `tree` (the other).

mod digest;
mod fault;
mod fetch;
mod inflate;
mod limits;
mod maker;
mod messages;
mod section;
mod settle;
mod stream;
mod sums;
mod tar;
#[cfg(test)]
pub mod tests;
mod throttle;
mod tree;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use self::digest::hex;
pub use self::fetch::Sources;
pub use self::messages::{
    BlobSource, FetchLayerAsk, FetchedLayer, GiveSourceAsk, ProgressEvent, SourceLostEvent, UnpackLayerAsk, decimal,
};
pub use self::settle::settle;
use self::stream::{Flow, TarStream};
pub use self::sums::{Kept, Verdict};
pub use self::tar::BLOCK_BYTES;
use self::tar::{Archive, Entry};
pub use self::throttle::give_way;
use self::tree::{Contents, Tree};
pub use self::tree::{OPAQUE, is_kept, is_whiteout};
use crate::frame::FrameError;
use rustix::fs::statvfs;

/// Fetches the blob of `ask`, checks its digest, size and diffID, and unpacks it below `ask.target`, which it makes.
///
/// `progress` is told the blob's bytes so far, at most ten times a second; `cancelled` is looked at as often. `sources`
/// is asked when the source of `ask` fails for good: the blob goes on from the next one at the same byte.
/// On any error nothing is left at the target. Kinds: `denied`, `not-found`, `registry-unavailable`, `unavailable`
/// (the registry), `corrupt`, `inconsistent` (whoever serves it), `invalid`, `unsupported` (the layer), `exhausted` (a
/// limit, the disk), `exists`, `cancelled`.
pub fn fetch_layer(
    ask: &FetchLayerAsk,
    sources: Arc<dyn Sources>,
    progress: &dyn Fn(u64),
    cancelled: &AtomicBool,
) -> Result<FetchedLayer, FrameError> {
    let attempt = |flow: &Arc<Flow>| fetch_and_unpack(ask, sources.clone(), flow, progress, cancelled);
    let flow = Arc::new(Flow { ranges_allowed: true, ..Flow::default() });
    let outcome = match attempt(&flow) {
        // Parts that do not fit together may be the ranges' fault.
        Err(error) if flow.ranges_used.load(Ordering::Relaxed) && is_wrong_content(&error) => attempt(&Arc::default()),
        outcome => outcome,
    };
    outcome.map_err(|error| FrameError::new(&error.kind, format!("layer {}: {}", ask.digest, error.message)))
}

fn is_wrong_content(error: &FrameError) -> bool {
    matches!(error.kind.as_str(), "corrupt" | "invalid" | "unsupported")
}

/// Reads the blob of `ask` out of a file of this machine, else as `fetch_layer`; `corrupt` when the file ends before it.
pub fn unpack_layer(
    ask: &UnpackLayerAsk,
    progress: &dyn Fn(u64),
    cancelled: &AtomicBool,
) -> Result<FetchedLayer, FrameError> {
    fetch_layer(&ask.into(), Arc::new(Nowhere), progress, cancelled)
}

/// A file has no other source.
struct Nowhere;

impl Sources for Nowhere {
    fn instead(&self, _: &FrameError, _: u64, _: &AtomicBool) -> Option<BlobSource> {
        None
    }
}

fn fetch_and_unpack(
    ask: &FetchLayerAsk,
    sources: Arc<dyn Sources>,
    flow: &Arc<Flow>,
    progress: &dyn Fn(u64),
    cancelled: &AtomicBool,
) -> Result<FetchedLayer, FrameError> {
    let stream = TarStream::start(ask, sources, flow.clone(), progress, cancelled)?;
    let full = |error| naming_inodes(error, Path::new(&ask.target));
    let mut tree = Tree::create(&ask.target, ask.limits).map_err(full)?;
    let filled = tree.keep_sums(&ask.sums).and_then(|()| fill(ask, stream, tree));
    filled.map_err(full).inspect_err(|_| {
        // What cannot be removed now is swept with all temporary directories at the next start.
        let _ = fs::remove_dir_all(&ask.target);
        sums::remove(&ask.sums);
    })
}

/// A file system without inodes left says that it has no space, which df(1) denies.
fn naming_inodes(error: FrameError, target: &Path) -> FrameError {
    let left = target.parent().and_then(|folder| statvfs(folder).ok());
    match left {
        Some(left) if error.kind == "exhausted" && left.f_files > 0 && left.f_favail == 0 => {
            FrameError::new(&error.kind, format!("{}; no inodes are left there", error.message))
        }
        _ => error,
    }
}

fn fill(ask: &FetchLayerAsk, stream: TarStream<'_>, mut tree: Tree) -> Result<FetchedLayer, FrameError> {
    let mut archive = if ask.file.is_empty() { Archive::new(stream) } else { Archive::of_one(stream, ask.size_bytes) };
    if ask.file.is_empty() {
        while let Some(entry) = archive.next_entry()? {
            tree.place(&entry, &mut archive)?;
        }
    } else {
        tree.place(&Entry::file(ask.file.as_bytes(), ask.size_bytes), &mut archive)?;
    }
    let unpacked_bytes = archive.into_source().finish()?;
    let Contents { inodes, used_bytes, implied } = tree.finish()?;
    Ok(FetchedLayer { unpacked_bytes, used_bytes, inodes, implied })
}
