//! commitLayers: unpacked layers settled on those below them, made durable, then visible.

use super::call::Call;
use super::errors::failed;
use super::messages::{CommitLayersAsk, Done, LayerMove};
use super::{dirs, tree};
use crate::frame::FrameError;
use crate::unpack;
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fsync, openat, renameat_with, syncfs};
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::path::Path;

/// Settles each layer on those below it, writes the layers' file system out once, renames each layer, then writes the folders out. A target that is there
/// already wins and the source is removed, so a repeated commit succeeds.
pub fn commit_layers(ask: &CommitLayersAsk, call: &Call) -> Result<Done, FrameError> {
    let Some(first) = ask.moves.first() else { return Ok(Done {}) };
    let mut folders = BTreeSet::new();
    for layer in &ask.moves {
        folders.extend(Path::new(&layer.to).parent().into_iter().chain(Path::new(&layer.from).parent()));
        let Some(folder) = Path::new(&layer.to).parent() else { continue };
        let made = dirs::make(folder, 0o700, &mut Vec::new());
        made.map_err(|error| failed(format!("make {}", folder.display()), error))?;
    }
    ask.moves.iter().try_for_each(|layer| settle(layer, &ask.moves))?;
    let layers = Path::new(&first.to).parent().unwrap_or(Path::new("/"));
    syncfs(open(layers)?).map_err(|error| failed(format!("syncfs {}", layers.display()), error))?;
    call.check()?;
    ask.moves.iter().try_for_each(move_one)?;
    for folder in folders {
        fsync(open(folder)?).map_err(|error| failed(format!("fsync {}", folder.display()), error))?;
    }
    Ok(Done {})
}

/// Layers that are committed with this one may still lie where they were unpacked.
fn settle(layer: &LayerMove, moves: &[LayerMove]) -> Result<(), FrameError> {
    let from = Path::new(&layer.from);
    if layer.implied.is_empty() || layer.below.is_empty() || !from.exists() {
        return Ok(());
    }
    let here = |to: &String| {
        let unpacked = moves.iter().find(|other| other.to == *to).map(|other| Path::new(&other.from));
        unpacked.filter(|path| path.exists()).unwrap_or(Path::new(to)).to_owned()
    };
    let below: Vec<_> = layer.below.iter().map(here).collect();
    unpack::settle(from, &below, &layer.implied)
        .map_err(|error| failed(format!("settle {} on the layers below", layer.from), error))
}

fn move_one(layer: &LayerMove) -> Result<(), FrameError> {
    match renameat_with(CWD, &layer.from, CWD, &layer.to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => tree::remove_tree(Path::new(&layer.from), &|| Ok(())),
        Err(Errno::NOENT) if Path::new(&layer.to).is_dir() => Ok(()),
        Err(error) => Err(failed(format!("rename {} to {}", layer.from, layer.to), error)),
    }
}

fn open(folder: &Path) -> Result<OwnedFd, FrameError> {
    openat(CWD, folder, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| failed(format!("open {}", folder.display()), error))
}
