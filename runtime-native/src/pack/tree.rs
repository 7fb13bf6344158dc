//! A layer's directory walked in the order of its names. No symbolic link is followed and no mount crossed; how deep it
//! is does not matter.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{
    CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat, fgetxattr, flistxattr, fstat, major, minor, openat, openat2,
    readlinkat,
};
use rustix::io::Errno;

use super::record::Record;
use crate::frame::FrameError;
use crate::unpack::{BLOCK_BYTES, OPAQUE, is_kept, is_whiteout};

/// The end of an archive: two blocks of zeros.
const END: [u8; 2 * BLOCK_BYTES] = [0; 2 * BLOCK_BYTES];
const COPY_BYTES: usize = 128 << 10;
/// Most bytes of one extended attribute, and of all names of them (kernel, XATTR_SIZE_MAX and XATTR_LIST_MAX).
const XATTR_BYTES: usize = 64 << 10;

/// A layer to be read.
pub struct Tree {
    root: OwnedFd,
    /// First names of files that have several, by device and inode.
    linked: HashMap<(u64, u64), Vec<u8>>,
}

impl Tree {
    pub fn open(directory: &str) -> Result<Self, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self { root: openat(CWD, directory, flags, Mode::empty())?, linked: HashMap::new() })
    }

    /// Writes the whole archive; an error of `check` ends it.
    pub fn write(mut self, output: &mut impl Write, check: &dyn Fn() -> Result<(), FrameError>) -> io::Result<()> {
        self.write_top(output)?;
        let mut left = self.below(b"")?;
        while let Some(path) = left.pop() {
            check().map_err(|error| io::Error::other(error.message))?;
            let entry = self.open_at(&path, OFlags::PATH | OFlags::NOFOLLOW)?;
            let stat = fstat(&entry)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => {
                    self.write_directory(path.clone(), &stat, output)?;
                    left.extend(self.below(&path)?);
                }
                FileType::RegularFile => self.write_file(path, &stat, output, check)?,
                FileType::Symlink => {
                    let link = readlinkat(&entry, c"", Vec::new())?.into_bytes();
                    output.write_all(&Record { kind: b'2', link, ..record(path, &stat) }.header())?;
                }
                _ if is_whiteout(&stat) => output.write_all(&mark(&hidden(&path)))?,
                FileType::CharacterDevice => write_device(b'3', path, &stat, output)?,
                FileType::BlockDevice => write_device(b'4', path, &stat, output)?,
                FileType::Fifo => output.write_all(&Record { kind: b'6', ..record(path, &stat) }.header())?,
                // A tar has no sockets, and no layer came with one.
                _ => {}
            }
        }
        output.write_all(&END)
    }

    /// The top is told only where it is not as unpacking makes it anyway; its time is of no use to anybody.
    fn write_top(&self, output: &mut impl Write) -> io::Result<()> {
        let stat = fstat(&self.root)?;
        let plain = stat.st_mode & 0o7777 == 0o755 && (stat.st_uid, stat.st_gid) == (0, 0);
        let xattrs = xattrs(&self.root)?;
        if !plain || !xattrs.is_empty() {
            let record = Record { kind: b'5', mtime: (0, 0), xattrs, ..record(b"./".to_vec(), &stat) };
            output.write_all(&record.header())?;
        }
        if is_opaque(&self.root) {
            output.write_all(&mark(b".wh..wh..opq"))?;
        }
        Ok(())
    }

    fn write_directory(&self, mut path: Vec<u8>, stat: &Stat, output: &mut impl Write) -> io::Result<()> {
        let directory = self.open_at(&path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        path.push(b'/');
        let record = Record { kind: b'5', xattrs: xattrs(&directory)?, ..record(path.clone(), stat) };
        output.write_all(&record.header())?;
        if is_opaque(&directory) {
            path.extend_from_slice(b".wh..wh..opq");
            output.write_all(&mark(&path))?;
        }
        Ok(())
    }

    fn write_file(
        &mut self,
        path: Vec<u8>,
        stat: &Stat,
        output: &mut impl Write,
        check: &dyn Fn() -> Result<(), FrameError>,
    ) -> io::Result<()> {
        if stat.st_nlink > 1 {
            if let Some(first) = self.linked.get(&(stat.st_dev, stat.st_ino)) {
                let link = Record { kind: b'1', link: first.clone(), ..record(path, stat) };
                return output.write_all(&link.header());
            }
            self.linked.insert((stat.st_dev, stat.st_ino), path.clone());
        }
        let file = self.open_at(&path, OFlags::RDONLY)?;
        let size = stat.st_size as u64;
        let record = Record { kind: b'0', size, xattrs: xattrs(&file)?, ..record(path, stat) };
        output.write_all(&record.header())?;
        copy(&mut File::from(file).take(size), size, output, check)
    }

    /// Paths of what lies in a directory, the last name first.
    fn below(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
        let inside = if path.is_empty() { b".".as_slice() } else { path };
        let directory = self.open_at(inside, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut paths = Vec::new();
        for entry in Dir::read_from(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                paths.push(if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() });
            }
        }
        paths.sort_by(|one, other| other.cmp(one));
        Ok(paths)
    }

    fn open_at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve)
    }
}

fn record(name: Vec<u8>, stat: &Stat) -> Record {
    Record {
        name,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: (stat.st_mtime, stat.st_mtime_nsec as u32),
        ..Record::default()
    }
}

fn write_device(kind: u8, path: Vec<u8>, stat: &Stat, output: &mut impl Write) -> io::Result<()> {
    let device = (major(stat.st_rdev), minor(stat.st_rdev));
    output.write_all(&Record { kind, device, ..record(path, stat) }.header())
}

/// An empty file whose name alone says something (OCI image-spec, layer.md, whiteouts).
fn mark(name: &[u8]) -> Vec<u8> {
    Record { name: name.to_vec(), kind: b'0', ..Record::default() }.header()
}

fn hidden(path: &[u8]) -> Vec<u8> {
    let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    [&path[..at], b".wh.", &path[at..]].concat()
}

fn is_opaque(directory: &OwnedFd) -> bool {
    fgetxattr(directory, OPAQUE, &mut [0_u8; 1]).is_ok()
}

/// Those that a layer may set, by name.
fn xattrs(inode: &OwnedFd) -> Result<Vec<(Vec<u8>, Vec<u8>)>, Errno> {
    let mut names = vec![0_u8; XATTR_BYTES];
    let length = match flistxattr(inode, &mut names) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        outcome => outcome?,
    };
    let mut found = Vec::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = vec![0_u8; XATTR_BYTES];
        let length = fgetxattr(inode, name, &mut value)?;
        value.truncate(length);
        found.push((name.to_vec(), value));
    }
    found.sort();
    Ok(found)
}

/// Copies exactly `size` bytes, and fills the last block.
fn copy(
    file: &mut impl Read,
    size: u64,
    output: &mut impl Write,
    check: &dyn Fn() -> Result<(), FrameError>,
) -> io::Result<()> {
    let mut buffer = vec![0_u8; COPY_BYTES.min(usize::try_from(size).unwrap_or(COPY_BYTES)).max(1)];
    let mut left = size;
    while left > 0 {
        check().map_err(|error| io::Error::other(error.message))?;
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file of the layer became shorter"));
        }
        output.write_all(&buffer[..count])?;
        left -= count as u64;
    }
    let padding = (size.next_multiple_of(BLOCK_BYTES as u64) - size) as usize;
    output.write_all(&END[..padding])
}
