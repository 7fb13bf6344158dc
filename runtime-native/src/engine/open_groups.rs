//! Files of cgroups that are kept open between samples: to open one costs many times what reading it again does.
//! Nothing hangs on it: what is not kept is opened anew.

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Resource, getrlimit};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Files of a group that nobody has asked for in this long are closed.
const FORGET_AFTER: Duration = Duration::from_secs(30);
/// Most files that are kept open, however many the process may have; twice 500 containers on version 2.
const KEPT_MAX: usize = 8192;

/// One cgroup with the files that were asked of it, in the order asked; those that do not exist are `None`.
pub struct OpenGroup {
    path: String,
    pub files: Vec<Option<OwnedFd>>,
    used: Instant,
}

impl OpenGroup {
    /// Opens `files` of the group at `path`; `None` keeps a place empty.
    pub fn open(path: &str, files: impl Iterator<Item = Option<String>>) -> Self {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
        let files = files.map(|file| open(file?, flags, Mode::empty()).ok()).collect();
        Self { path: path.to_owned(), files, used: Instant::now() }
    }

    fn count(&self) -> usize {
        self.files.iter().flatten().count()
    }
}

/// Groups by id that are not being read just now.
pub struct OpenGroups {
    kept_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    groups: HashMap<String, OpenGroup>,
    files: usize,
}

impl OpenGroups {
    /// None yet; half of the descriptors that the process may have are left to others.
    pub fn new() -> Self {
        let own = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX) / 2;
        Self { kept_max: usize::try_from(own).unwrap_or(KEPT_MAX).min(KEPT_MAX), kept: Mutex::default() }
    }

    /// Hands out what is kept of the group, for one reader; a group that moved is none.
    pub fn take(&self, id: &str, path: &str) -> Option<OpenGroup> {
        let mut kept = self.kept();
        let group = kept.groups.remove(id)?;
        kept.files -= group.count();
        Some(group).filter(|group| group.path == path)
    }

    /// Keeps the group for the next reader, if there is room.
    pub fn put(&self, id: &str, mut group: OpenGroup) {
        group.used = Instant::now();
        let mut kept = self.kept();
        if kept.files + group.count() > self.kept_max {
            return;
        }
        kept.files += group.count();
        if let Some(twin) = kept.groups.insert(id.to_owned(), group) {
            kept.files -= twin.count();
        }
    }

    /// Closes what nobody asked for in a while.
    pub fn forget_unused(&self) {
        self.kept().forget(FORGET_AFTER);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn forget(&mut self, unused_for: Duration) {
        self.groups.retain(|_, group| group.used.elapsed() < unused_for);
        self.files = self.groups.values().map(OpenGroup::count).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Kept {
        fn size(&self) -> (usize, usize) {
            (self.groups.len(), self.files)
        }
    }

    fn group(path: &str) -> OpenGroup {
        let files = [Some("/proc/self/stat"), Some("/no/such"), None, Some("/proc/self/status")];
        OpenGroup::open(path, files.iter().map(|file| file.map(str::to_owned)))
    }

    #[test]
    fn a_group_is_handed_out_once_and_only_for_its_path() {
        let groups = OpenGroups::new();
        assert!(groups.take("a", "/a").is_none());
        groups.put("a", group("/a"));
        let taken = groups.take("a", "/a").unwrap();
        assert_eq!(taken.files.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true]);
        assert!(groups.take("a", "/a").is_none());
        groups.put("a", taken);
        assert!(groups.take("a", "/moved").is_none());
        assert_eq!(groups.kept().size(), (0, 0));
    }

    #[test]
    fn no_more_files_are_kept_than_there_is_room_for() {
        let groups = OpenGroups { kept_max: 5, kept: Mutex::default() };
        ["a", "b", "c"].iter().for_each(|id| groups.put(id, group("/")));
        assert_eq!(groups.kept().size(), (2, 4));
        groups.put("a", group("/"));
        assert_eq!(groups.kept().size(), (2, 4));
    }

    #[test]
    fn what_nobody_asks_for_is_closed() {
        let groups = OpenGroups::new();
        groups.put("a", group("/"));
        groups.forget_unused();
        assert_eq!(groups.kept().size(), (1, 2));
        groups.kept().forget(Duration::ZERO);
        assert_eq!(groups.kept().size(), (0, 0));
    }
}
