//! The ask and the reply of `fetchLayer` and what is said meanwhile, as declared in `api/engine.ts`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::limits::Limits;

/// How the blob of a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    Gzip,
    Zstd,
    None,
}

/// Where a blob is asked for, and as whom.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlobSource {
    pub url: String,
    /// Request headers, Authorization among them; never printed.
    pub headers: BTreeMap<String, String>,
    /// Addresses of the URL's host (of the proxy, when there is one), tried in order.
    pub addresses: Vec<IpAddr>,
    /// URL of the HTTP proxy to go through, which may hold credentials; empty for none. Never printed.
    pub proxy: String,
    /// PEM certificates to trust besides the system's; empty for none.
    pub ca_pem: String,
    /// PEM certificate chain and private key to show the registry; empty for none. Never printed.
    pub client_pem: String,
    /// Skips certificate verification.
    pub insecure: bool,
}

/// One layer to fetch, verify and unpack in one pass.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchLayerAsk {
    #[serde(flatten)]
    pub source: BlobSource,
    /// Digest of the blob as served (`sha256:…` or `sha512:…`).
    pub digest: String,
    /// Exact size of the blob in bytes.
    pub size_bytes: u64,
    pub compression: Compression,
    /// `sha256:…` of the uncompressed tar.
    pub diff_id: String,
    /// Directory to make and unpack into; must not exist.
    pub target: String,
    /// A connection that brings less than this many bytes in `stall_ms` is given up.
    pub min_bytes_per_stall: u64,
    pub stall_ms: u64,
    pub limits: Limits,
    /// Name, inside the target, of the one file that the blob is; empty for a blob that is a layer's tar.
    pub file: String,
    /// New file for what the layer's files hold, see `sums`; empty for none.
    #[serde(default)]
    pub sums: String,
    /// Where the blob lies when it is not fetched at all; then what concerns the connection counts for nothing.
    #[serde(skip)]
    pub section: Option<Section>,
}

/// A blob that lies in a file of this machine, to be verified and unpacked in one pass.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpackLayerAsk {
    /// The file, and where in it the blob begins.
    pub path: String,
    pub offset: u64,
    /// The others as for `FetchLayerAsk`.
    pub digest: String,
    pub size_bytes: u64,
    pub compression: Compression,
    pub diff_id: String,
    pub target: String,
    pub limits: Limits,
    #[serde(default)]
    pub sums: String,
}

impl From<&UnpackLayerAsk> for FetchLayerAsk {
    fn from(ask: &UnpackLayerAsk) -> Self {
        Self {
            source: BlobSource::default(),
            digest: ask.digest.clone(),
            size_bytes: ask.size_bytes,
            compression: ask.compression,
            diff_id: ask.diff_id.clone(),
            target: ask.target.clone(),
            min_bytes_per_stall: 0,
            stall_ms: 0,
            limits: ask.limits,
            file: String::new(),
            sums: ask.sums.clone(),
            section: Some(Section { path: ask.path.clone(), offset: ask.offset }),
        }
    }
}

/// Part of a file.
#[derive(Debug, Clone)]
pub struct Section {
    pub path: String,
    pub offset: u64,
}

/// What an unpacked layer holds; 64-bit integers are decimal strings in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchedLayer {
    /// Bytes of the uncompressed tar.
    #[serde(serialize_with = "decimal")]
    pub unpacked_bytes: u64,
    /// Bytes allocated on disk by the tree.
    #[serde(serialize_with = "decimal")]
    pub used_bytes: u64,
    /// Inodes of the tree, the target directory among them.
    #[serde(serialize_with = "decimal")]
    pub inodes: u64,
    /// Directories that no entry names, to be settled on the layers below.
    pub implied: Vec<String>,
}

/// Compressed bytes of the layer that call `of` has fetched so far.
#[derive(Debug, Serialize, Deserialize)]
pub struct ProgressEvent {
    pub of: u64,
    pub bytes: String,
}
/// Call `of` cannot go on with its source after that many compressed bytes; it waits for `giveSource`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SourceLostEvent {
    pub of: u64,
    pub bytes: String,
    pub kind: String,
    pub message: String,
}

/// The answer to `sourceLost`; without a source the call fails.
#[derive(Deserialize)]
pub struct GiveSourceAsk {
    pub of: u64,
    pub source: Option<BlobSource>,
}

pub fn decimal<S: serde::Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
