//! What a header and its extensions say of one entry. No I/O.

use super::header::Header;
use super::pax::Extension;
use super::sparse::Sparse;
use crate::frame::FrameError;
use crate::unpack::limits::{NAME_BYTES, exceeded};

/// What an entry makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink(Vec<u8>),
    /// Another name for the entry of that name.
    Hardlink(Vec<u8>),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
}

/// One entry, its name as written.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: Vec<u8>,
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds and nanoseconds.
    pub mtime: (i64, u32),
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Bytes of data that follow.
    pub size: u64,
    /// Where in the file the data belong; `None` when they are all of it.
    pub sparse: Option<Sparse>,
}

impl Entry {
    /// A plain file of root's, as old as can be.
    pub fn file(name: &[u8], size: u64) -> Self {
        Self {
            name: name.to_vec(),
            kind: Kind::File,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: (0, 0),
            xattrs: Vec::new(),
            size,
            sparse: None,
        }
    }

    /// The entry that `header` begins, with what `extension` overrides.
    pub fn new(header: Header, extension: Extension) -> Result<Self, FrameError> {
        let name = extension.sparse_path.or(extension.path).unwrap_or(header.name);
        let link = extension.link.unwrap_or(header.link);
        if name.len() > NAME_BYTES || link.len() > NAME_BYTES {
            return Err(exceeded("bytes in a name", NAME_BYTES as u64));
        }
        let small = |what: &str, value: u64| match u32::try_from(value) {
            Ok(value) if value != u32::MAX => Ok(value),
            _ => Err(malformed(&name, &format!("its {what} {value} is too large"))),
        };
        let device = || Ok((small("device major", header.major)?, small("device minor", header.minor)?));
        let kind = match header.kind {
            b'0' | b'\0' | b'7' if name.ends_with(b"/") => Kind::Directory,
            b'0' | b'\0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::Hardlink(link),
            b'2' => Kind::Symlink(link),
            b'3' => device().map(|(major, minor)| Kind::CharDevice(major, minor))?,
            b'4' => device().map(|(major, minor)| Kind::BlockDevice(major, minor))?,
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => return Err(unsupported(&name, &format!("unknown type {:?}", char::from(other)))),
        };
        // Links, devices, directories and fifos have no data, whatever size their header states.
        let has_data = !matches!(header.kind, b'1'..=b'6');
        Ok(Self {
            kind,
            mode: (header.mode & 0o7777) as u32,
            uid: small("uid", extension.uid.unwrap_or(header.uid))?,
            gid: small("gid", extension.gid.unwrap_or(header.gid))?,
            mtime: extension.mtime.unwrap_or((header.mtime, 0)),
            xattrs: extension.xattrs,
            size: if has_data { extension.size.unwrap_or(header.size) } else { 0 },
            sparse: None,
            name,
        })
    }
}

fn unsupported(name: &[u8], fault: &str) -> FrameError {
    FrameError::new("unsupported", format!("entry {}: {fault}", quoted(name)))
}

/// `corrupt`: what the archive says of the entry cannot be.
pub fn malformed(name: &[u8], fault: &str) -> FrameError {
    FrameError::new("corrupt", format!("entry {}: {fault}", quoted(name)))
}

/// A foreign name, safe to print and not too long to.
pub fn quoted(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default());
    let short: String = text.chars().take(200).collect();
    format!("{short:?}")
}
