//! verifyLayer: whether a layer's files still hold what was unpacked.

use super::call::Call;
use super::errors::failed;
use super::messages::{VerifyLayerAsk, VerifyLayerReply};
use super::walk::{self, Visit, walk};
use crate::frame::FrameError;
use crate::unpack::{Kept, Verdict};
use rustix::fs::{FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;

/// Read at once.
const CHUNK_BYTES: usize = 128 << 10;
/// Names of damaged files that are told.
const NAMES_MAX: usize = 5;

/// Reads every file of the layer and compares it with what was kept when it was unpacked.
pub fn verify_layer(ask: &VerifyLayerAsk, call: &Call) -> Result<VerifyLayerReply, FrameError> {
    let kept = match fs::read(&ask.sums) {
        Ok(bytes) => Kept::parse(&bytes),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(failed(format!("read {}", ask.sums), error)),
    };
    let Some(kept) = kept else { return Ok(VerifyLayerReply::default()) };
    let mut look = Look {
        kept: &kept,
        call,
        files: 0,
        linked: HashMap::new(),
        damaged: Vec::new(),
        damaged_files: 0,
        chunk: vec![0; CHUNK_BYTES],
    };
    let (parent, name) =
        walk::parent_of(Path::new(&ask.directory)).map_err(|error| failed(format!("open {}", ask.directory), error))?;
    let walked = walk::open(&parent, &name).and_then(|top| walk(top, &mut look));
    call.check()?;
    walked.map_err(|error| failed(format!("read {}", ask.directory), error))?;
    let linked: Vec<_> = look.linked.drain().filter(|(_, (verdict, _))| *verdict == Verdict::Damaged).collect();
    linked.into_iter().for_each(|(_, (_, name))| look.blame(&name));
    let missing = if kept.exact { (kept.sums.len() as u64).saturating_sub(look.files) } else { 0 };
    Ok(VerifyLayerReply {
        verified: true,
        files: look.files,
        missing,
        damaged: look.damaged_files,
        names: look.damaged,
    })
}

struct Look<'a> {
    kept: &'a Kept,
    call: &'a Call,
    /// Names of regular files.
    files: u64,
    /// What is known so far of files that have several names, by device and inode: one name may be enough.
    linked: HashMap<(u64, u64), (Verdict, String)>,
    damaged: Vec<String>,
    damaged_files: u64,
    chunk: Vec<u8>,
}

impl Look<'_> {
    fn blame(&mut self, name: &str) {
        self.damaged_files += 1;
        if self.damaged.len() < NAMES_MAX {
            self.damaged.push(name.to_owned());
        }
    }

    fn sum(&mut self, mut file: &File) -> Result<u32, Errno> {
        let mut content = crc32fast::Hasher::new();
        loop {
            self.call.check().map_err(|_| Errno::CANCELED)?;
            match file.read(&mut self.chunk) {
                Ok(0) => return Ok(content.finalize()),
                Ok(count) => content.update(&self.chunk[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
            }
        }
    }
}

impl Visit for Look<'_> {
    fn meet(&mut self, dir: BorrowedFd, name: &CStr, kind: FileType) -> Result<bool, Errno> {
        if kind != FileType::RegularFile {
            return Ok(kind == FileType::Directory);
        }
        self.files += 1;
        let file = openat(
            dir,
            name,
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOATIME | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let status = fstat(&file)?;
        let shown = name.to_string_lossy().into_owned();
        // A block that the disk cannot give back is as bad as a wrong one.
        let verdict = match self.sum(&File::from(file)) {
            Ok(content) => self.kept.verdict(name.to_bytes(), status.st_size as u64, content),
            Err(Errno::IO) => Verdict::Damaged,
            Err(error) => return Err(error),
        };
        if status.st_nlink > 1 {
            let known = self.linked.entry((status.st_dev, status.st_ino)).or_insert((verdict, shown));
            known.0 = better(known.0, verdict);
        } else if verdict == Verdict::Damaged {
            self.blame(&shown);
        }
        Ok(false)
    }

    fn leave(&mut self, _parent: BorrowedFd, _name: &CStr) -> Result<(), Errno> {
        Ok(())
    }

    fn refused(&mut self, _name: &CStr, error: Errno) -> Result<(), Errno> {
        Err(error)
    }
}

/// Of two names of one file: that it is whole by one of them is enough; that it is damaged by one counts more than that
/// nothing is known by the other.
fn better(one: Verdict, other: Verdict) -> Verdict {
    match (one, other) {
        (Verdict::Whole, _) | (_, Verdict::Whole) => Verdict::Whole,
        (Verdict::Damaged, _) | (_, Verdict::Damaged) => Verdict::Damaged,
        _ => Verdict::Unknown,
    }
}
