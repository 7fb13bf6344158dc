//! The fetching thread: blob in, tar out, and the word that the blob is the one asked for.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use super::digest::{Digest, Summed};
use super::fault;
use super::fetch::{Blob, Sources};
use super::inflate::Inflate;
use super::limits::Limits;
use super::messages::{Compression, FetchLayerAsk};
use super::section::SectionReader;
use super::stream::{Flow, Part};
use super::throttle::Account;
use crate::frame::FrameError;

/// Bytes handed over at once.
const CHUNK_BYTES: usize = 128 << 10;

/// Where the blob comes from.
type Source = Box<dyn Read + Send>;

/// All that the thread needs, owned by it.
pub struct Maker {
    blob: Summed<Source>,
    compression: Compression,
    limits: Limits,
    /// Chunks that have been read and may be filled again.
    used: Receiver<Vec<u8>>,
}

impl Maker {
    /// Prepares to fetch the blob of `ask`; `invalid` when the ask is malformed.
    pub fn new(
        ask: &FetchLayerAsk,
        sources: Arc<dyn Sources>,
        flow: Arc<Flow>,
        used: Receiver<Vec<u8>>,
    ) -> Result<Self, FrameError> {
        let source: Source = match &ask.section {
            Some(section) => Box::new(SectionReader::new(section, ask.size_bytes, flow)?),
            None => Box::new(Blob::new(ask, sources, flow)?),
        };
        let blob = Summed::new(source, &Digest::parse(&ask.digest)?);
        Ok(Self { blob, compression: ask.compression, limits: ask.limits, used })
    }

    /// Hands over the whole tar and then how it ended; stops when nobody reads any more.
    pub fn run(self, parts: &SyncSender<Part>) {
        let Self { blob, compression, limits, used } = self;
        let ending = Inflate::new(compression, blob)
            .map_err(fault::unwrap)
            .and_then(|tar| hand_over(tar, limits, &used, parts))
            .and_then(|blob| blob.into_sum().check("blob"));
        let _ = parts.send(ending.map_or_else(Part::Failed, |()| Part::End));
    }
}

/// The blob, read to its end, once all of the tar is handed over.
fn hand_over(
    mut tar: Inflate<Summed<Source>>,
    limits: Limits,
    used: &Receiver<Vec<u8>>,
    parts: &SyncSender<Part>,
) -> Result<Summed<Source>, FrameError> {
    let (mut tar_bytes, mut account) = (0, Account::of_unpacking());
    loop {
        let chunk = match fill(used.try_recv().unwrap_or_default(), &mut tar) {
            Ok(chunk) => chunk,
            Err(error) => return Err(blame(fault::unwrap(error), tar.into_source())),
        };
        if chunk.is_empty() {
            return Ok(tar.into_source());
        }
        tar_bytes += chunk.len() as u64;
        limits.check_growth(tar_bytes, tar.source().bytes())?;
        parts.send(Part::Bytes(chunk)).map_err(|_| FrameError::new("cancelled", "nobody reads any more"))?;
        account.pay();
    }
}

/// A full chunk, a shorter last one, or an empty one at the end.
fn fill(mut chunk: Vec<u8>, tar: &mut impl Read) -> io::Result<Vec<u8>> {
    chunk.resize(CHUNK_BYTES, 0);
    let mut filled = 0;
    while filled < CHUNK_BYTES {
        match tar.read(&mut chunk[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    chunk.truncate(filled);
    Ok(chunk)
}

/// Undecodable bytes are most often a blob that is not the one asked for, and its digest says so best.
fn blame(error: FrameError, mut blob: Summed<Source>) -> FrameError {
    if error.kind == "corrupt" && io::copy(&mut blob, &mut io::sink()).is_ok() {
        return blob.into_sum().check("blob").err().unwrap_or_else(|| fault::of_the_image(error));
    }
    error
}
