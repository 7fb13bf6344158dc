//! A directory of a test's own, removed when the test is over.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::frame::FrameError;
use crate::unpack::limits::Limits;
use crate::unpack::tar::Archive;
use crate::unpack::tree::{Contents, Tree};

pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("berth-unpack-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// One that no disk is waited for.
    pub fn in_memory() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("/dev/shm/berth-unpack-{}-{count}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Where the layer is unpacked to.
    pub fn layer(&self) -> PathBuf {
        self.0.join("layer")
    }

    /// A path in the layer.
    pub fn at(&self, path: &str) -> PathBuf {
        self.layer().join(path)
    }

    /// A path beside the layer.
    pub fn outside_at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Names of all that lies beside and above the layer.
    pub fn outside(&self) -> Vec<String> {
        names(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a tree holds: inodes and bytes on disk.
pub type Holding = (u64, u64);

/// Unpacks what must unpack, and tells the directories that no entry names.
pub fn unpack_telling(archive: &[u8]) -> (Scratch, Vec<String>) {
    let scratch = Scratch::new();
    let contents = contents(&scratch, archive, Limits::default()).unwrap();
    (scratch, contents.implied)
}

/// Unpacks `archive` as a layer.
pub fn unpack(archive: &[u8], limits: Limits) -> (Scratch, Result<Holding, FrameError>) {
    let scratch = Scratch::new();
    let outcome = unpack_into(&scratch, archive, limits);
    (scratch, outcome)
}

/// Unpacks `archive` as the layer of `scratch`, which must have none.
pub fn unpack_into(scratch: &Scratch, archive: &[u8], limits: Limits) -> Result<Holding, FrameError> {
    contents(scratch, archive, limits).map(|held| (held.inodes, held.used_bytes))
}

fn contents(scratch: &Scratch, archive: &[u8], limits: Limits) -> Result<Contents, FrameError> {
    let mut tree = Tree::create(scratch.layer().to_str().unwrap(), limits)?;
    let mut archive = Archive::new(archive);
    while let Some(entry) = archive.next_entry()? {
        tree.place(&entry, &mut archive)?;
    }
    tree.finish()
}

/// Unpacks what must unpack.
pub fn unpacked(archive: &[u8]) -> Scratch {
    let (scratch, outcome) = unpack(archive, Limits::default());
    outcome.unwrap();
    scratch
}

/// Unpacks what must be refused, and returns why.
pub fn refused(archive: &[u8]) -> FrameError {
    let (scratch, outcome) = unpack(archive, Limits::default());
    assert_eq!(scratch.outside(), ["layer"]);
    outcome.unwrap_err()
}

pub fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
