//! Where a log lies. The folder of a pod's logs is the node's choice, with all links on the way to it (`/var/log` may be
//! one). What lies below it a pod may have reached, by a volume: no link is followed there, and nothing leads out of it.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, openat, openat2, unlinkat};
use rustix::io::Errno;

/// A log's file by the folder of its pod's logs.
#[derive(Clone)]
pub struct LogPlace {
    folder: String,
    below: String,
}

impl LogPlace {
    /// The place of the absolute `path`; where it does not lie below `folder`, only its last part is not followed.
    pub fn new(folder: &str, path: &str) -> Self {
        let below = path.strip_prefix(folder.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
        match (below, path.rsplit_once('/')) {
            (Some(below), _) if !folder.is_empty() => Self { folder: folder.to_owned(), below: below.to_owned() },
            (_, Some((parent, name))) => Self { folder: format!("{parent}/"), below: name.to_owned() },
            (_, None) => Self { folder: ".".to_owned(), below: path.to_owned() },
        }
    }

    /// The folder, and the path below it.
    pub fn parts(&self) -> (String, String) {
        (self.folder.clone(), self.below.clone())
    }

    pub fn of_parts(folder: String, below: String) -> Self {
        Self { folder, below }
    }

    pub fn path(&self) -> String {
        format!("{}/{}", self.folder.trim_end_matches('/'), self.below)
    }

    /// Opens the file for appending, made (0640) when missing; true when it was.
    pub fn open(&self) -> io::Result<(File, bool)> {
        // A pipe that nobody reads is no log either.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOFOLLOW;
        let opened = match self.open_below(&self.below, flags | OFlags::EXCL) {
            Err(Errno::EXIST) => self.open_below(&self.below, flags).map(|file| (file, false)),
            outcome => outcome.map(|file| (file, true)),
        };
        opened.map_err(|error| match error {
            Errno::LOOP => {
                io::Error::other("a symbolic link in it leads elsewhere, below the folder of the pod's logs")
            }
            error => error.into(),
        })
    }

    /// Removes the file.
    pub fn remove(&self) -> io::Result<()> {
        let below = Path::new(&self.below);
        let parent = below.parent().and_then(Path::to_str).filter(|parent| !parent.is_empty()).unwrap_or(".");
        let parent = self.open_below(parent, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(unlinkat(parent, below.file_name().unwrap_or_default(), AtFlags::empty())?)
    }

    fn open_below(&self, path: &str, flags: OFlags) -> Result<File, Errno> {
        let folder = openat(CWD, &self.folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o640) } else { Mode::empty() };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        openat2(folder, path, flags | OFlags::CLOEXEC, mode, resolve).map(File::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_place_is_a_folder_and_what_is_below_it() {
        let parts = |folder, path| {
            let place = LogPlace::new(folder, path);
            (place.folder.clone(), place.below.clone(), place.path())
        };
        let whole = |folder: &str, below: &str, path: &str| (folder.to_owned(), below.to_owned(), path.to_owned());
        assert_eq!(parts("/logs/pod", "/logs/pod/c/0.log"), whole("/logs/pod", "c/0.log", "/logs/pod/c/0.log"));
        assert_eq!(parts("/logs/pod/", "/logs/pod/0.log"), whole("/logs/pod/", "0.log", "/logs/pod/0.log"));
        assert_eq!(parts("/", "/0.log"), whole("/", "0.log", "/0.log"));
        assert_eq!(parts("/logs/po", "/logs/pod/0.log"), whole("/logs/pod/", "0.log", "/logs/pod/0.log"));
        assert_eq!(parts("", "/logs/pod/0.log"), whole("/logs/pod/", "0.log", "/logs/pod/0.log"));
    }

    #[test]
    fn links_lead_to_the_folder_and_nowhere_below_it() {
        let base = std::env::temp_dir().join(format!("berth-place-{}", std::process::id()));
        fs::create_dir_all(base.join("disk/pod/c")).unwrap();
        fs::create_dir_all(base.join("victim")).unwrap();
        symlink("disk", base.join("log")).unwrap();
        symlink("../../victim", base.join("disk/pod/elsewhere")).unwrap();
        symlink("../victim/made", base.join("disk/pod/dangling.log")).unwrap();
        let folder = base.join("log/pod");
        let at = |name: &str| LogPlace::new(folder.to_str().unwrap(), folder.join(name).to_str().unwrap());
        assert!(at("c/0.log").open().unwrap().1);
        assert!(!at("c/0.log").open().unwrap().1);
        assert!(base.join("disk/pod/c/0.log").exists());
        for name in ["elsewhere/0.log", "dangling.log", "../../victim/0.log"] {
            assert!(at(name).open().is_err(), "{name}");
        }
        fs::write(base.join("victim/0.log"), "kept").unwrap();
        assert!(at("elsewhere/0.log").remove().is_err());
        at("c/0.log").remove().unwrap();
        assert!(!base.join("disk/pod/c/0.log").exists());
        assert_eq!(fs::read_dir(base.join("victim")).unwrap().count(), 1);
        fs::remove_dir_all(&base).unwrap();
    }
}
