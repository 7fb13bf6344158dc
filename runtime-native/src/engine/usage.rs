//! diskUsage and statfs: what trees and file systems take.

use super::call::Call;
use super::errors::failed;
use super::messages::{DiskUsageAsk, DiskUsageReply, StatfsAsk, StatfsReply, TreeUsage};
use super::walk::{self, Visit, walk};
use crate::frame::FrameError;
use rustix::fs::{AtFlags, FileType, Stat, statat};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// stat(2) counts blocks in this unit, whatever the file system's own is.
const BLOCK_BYTES: u64 = 512;
const ATTEMPTS: usize = 4;

/// Allocated bytes and inodes of each tree, a hard-linked file counted once; mounts below are not entered. A tree that
/// is not there has none.
pub fn disk_usage(ask: &DiskUsageAsk, call: &Call) -> Result<DiskUsageReply, FrameError> {
    let usage = ask.paths.iter().map(|path| tree_usage(path, call));
    Ok(DiskUsageReply { usage: usage.collect::<Result<_, _>>()? })
}

fn tree_usage(path: &str, call: &Call) -> Result<Option<TreeUsage>, FrameError> {
    let mut result = Err(Errno::STALE);
    for _ in 0..ATTEMPTS {
        call.check()?;
        result = attempt(path, call);
        if !matches!(result, Err(Errno::STALE)) {
            break;
        }
    }
    call.check()?;
    match result {
        Ok(count) => {
            Ok(Some(TreeUsage { bytes: (count.blocks * BLOCK_BYTES).to_string(), inodes: count.inodes.to_string() }))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(failed(format!("measure {path}"), error)),
    }
}

fn attempt<'a>(path: &str, call: &'a Call) -> Result<Count<'a>, Errno> {
    let mut count = Count { call, blocks: 0, inodes: 0, linked: HashSet::new() };
    let (parent, name) = walk::parent_of(Path::new(path))?;
    count.add(&statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW)?);
    match walk::open(&parent, &name) {
        Ok(top) => walk(top, &mut count)?,
        Err(Errno::NOTDIR | Errno::LOOP) => {}
        Err(error) => return Err(error),
    }
    Ok(count)
}

struct Count<'a> {
    call: &'a Call,
    blocks: u64,
    inodes: u64,
    /// Device and inode of files met that have more than one name.
    linked: HashSet<(u64, u64)>,
}

impl Count<'_> {
    fn add(&mut self, status: &Stat) {
        let directory = FileType::from_raw_mode(status.st_mode).is_dir();
        if !directory && status.st_nlink > 1 && !self.linked.insert((status.st_dev, status.st_ino)) {
            return;
        }
        self.blocks += status.st_blocks as u64;
        self.inodes += 1;
    }
}

impl Visit for Count<'_> {
    fn meet(&mut self, dir: BorrowedFd, name: &CStr, _kind: FileType) -> Result<bool, Errno> {
        if self.inodes.is_multiple_of(256) && self.call.check().is_err() {
            return Err(Errno::CANCELED);
        }
        match statat(dir.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(status) => {
                self.add(&status);
                Ok(FileType::from_raw_mode(status.st_mode).is_dir())
            }
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn leave(&mut self, _parent: BorrowedFd, _name: &CStr) -> Result<(), Errno> {
        Ok(())
    }

    fn refused(&mut self, _name: &CStr, error: Errno) -> Result<(), Errno> {
        match error {
            Errno::XDEV | Errno::NOENT | Errno::NOTDIR | Errno::LOOP => Ok(()),
            error => Err(error),
        }
    }
}

/// File system figures of the path; free is what is free for others than root.
pub fn statfs(ask: &StatfsAsk, _call: &Call) -> Result<StatfsReply, FrameError> {
    let found = rustix::fs::statfs(ask.path.as_str()).map_err(|error| failed(format!("statfs {}", ask.path), error))?;
    let bytes = |blocks: u64| (blocks * found.f_bsize as u64).to_string();
    Ok(StatfsReply {
        total_bytes: bytes(found.f_blocks),
        free_bytes: bytes(found.f_bavail),
        total_inodes: found.f_files.to_string(),
        free_inodes: found.f_ffree.to_string(),
        r#type: type_name(found.f_type as u64),
    })
}

/// The name of a file system by its number (statfs(2)); an unknown number in hexadecimal.
fn type_name(magic: u64) -> String {
    let name = match magic & 0xffff_ffff {
        0xef53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683e => "btrfs",
        0x0102_1994 => "tmpfs",
        0x794c_7630 => "overlay",
        0x2fc1_2fc1 => "zfs",
        0xf2f5_2010 => "f2fs",
        0x6969 => "nfs",
        0x6573_5546 => "fuse",
        0xe0f5_e1e2 => "erofs",
        0x7371_7368 => "squashfs",
        0x0102_1997 => "9p",
        0x00c0_ffee => "hostfs",
        other => return format!("{other:#x}"),
    };
    name.to_owned()
}
