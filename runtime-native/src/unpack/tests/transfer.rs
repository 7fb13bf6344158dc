//! A layer and the ask for it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use ring::digest::{SHA256, SHA512, digest};

use super::archive::{file, tar};
use super::scratch::Scratch;
use crate::frame::FrameError;
use crate::unpack::Sources;
use crate::unpack::limits::Limits;
use crate::unpack::messages::{BlobSource, Compression, FetchLayerAsk, FetchedLayer};

pub fn hex(name: &str, bytes: &[u8]) -> String {
    let algorithm = if name == "sha512" { &SHA512 } else { &SHA256 };
    format!("{name}:{}", crate::unpack::hex(digest(algorithm, bytes).as_ref()))
}

/// A tar with one file `f` of `size` bytes that compress badly.
pub fn noise(size: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*state >> 24) as u8
    };
    let data: Vec<u8> = (0..size).map(|_| next(&mut state)).collect();
    tar(&[file("f", &data)])
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The ask for `blob`, to be unpacked in `scratch`, from a server at `port` of this machine.
pub fn ask(scratch: &Scratch, port: u16, blob: &[u8], compression: Compression, tar: &[u8]) -> FetchLayerAsk {
    FetchLayerAsk {
        source: source(port),
        digest: hex("sha256", blob),
        size_bytes: blob.len() as u64,
        compression,
        diff_id: hex("sha256", tar),
        target: scratch.layer().to_str().unwrap().to_owned(),
        min_bytes_per_stall: 1,
        stall_ms: 20_000,
        limits: Limits::default(),
        file: String::new(),
        sums: String::new(),
        section: None,
    }
}

/// A server at `port` of this machine, asked for a blob with a token.
pub fn source(port: u16) -> BlobSource {
    BlobSource {
        url: format!("http://registry.test:{port}/v2/a/blobs/x"),
        headers: BTreeMap::from([("Authorization".to_owned(), "Bearer secret-token".to_owned())]),
        addresses: vec!["127.0.0.1".parse().unwrap()],
        proxy: String::new(),
        ca_pem: String::new(),
        client_pem: String::new(),
        insecure: false,
    }
}

/// The sources that are left, the last one first; it remembers with which errors, and after how many bytes, it was asked.
#[derive(Default)]
pub struct Others {
    pub left: Mutex<Vec<BlobSource>>,
    pub asked: Mutex<Vec<(String, u64)>>,
}

impl Sources for Others {
    fn instead(&self, error: &FrameError, offset: u64, _: &AtomicBool) -> Option<BlobSource> {
        self.asked.lock().unwrap().push((error.kind.clone(), offset));
        self.left.lock().unwrap().pop()
    }
}

/// There is no other source.
pub fn none() -> Arc<Others> {
    Arc::default()
}

pub fn fetch(ask: &FetchLayerAsk) -> Result<FetchedLayer, FrameError> {
    crate::unpack::fetch_layer(ask, none(), &|_| (), &AtomicBool::new(false))
}

/// Fetches what must be refused: nothing is left, and no header is told.
pub fn refusal(scratch: &Scratch, ask: &FetchLayerAsk) -> FrameError {
    let error = fetch(ask).unwrap_err();
    assert!(scratch.outside().is_empty(), "left behind: {:?}", scratch.outside());
    assert!(!error.message.contains("secret"), "{}", error.message);
    assert!(error.message.contains(&ask.digest));
    error
}
