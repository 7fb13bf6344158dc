//! A path taken apart, to be walked by hand where its links must not lead out of a tree.

use std::path::{Component, Path, PathBuf};

/// The components of a path, the first one last; `None` for `..`. Of an absolute path those below the root.
pub fn last_to_first(path: &Path) -> Vec<Option<PathBuf>> {
    let part = |component: Component<'_>| match component {
        Component::Normal(name) => Some(Some(PathBuf::from(name))),
        Component::ParentDir => Some(None),
        _ => None,
    };
    path.components().rev().filter_map(part).collect()
}
