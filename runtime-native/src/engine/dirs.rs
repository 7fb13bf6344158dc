//! Directories made with their parents, remembered so that they can be unmade.

use std::fs::{DirBuilder, remove_dir};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Makes `path` and what is missing above it; each directory made is appended to `made`, also when a later one fails.
pub fn make(path: &Path, mode: u32, made: &mut Vec<PathBuf>) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => made.push(path.to_owned()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let Some(parent) = path.parent() else { return Err(error) };
            make(parent, mode, made)?;
            return match DirBuilder::new().mode(mode).create(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
                Err(error) => Err(error),
                Ok(()) => {
                    made.push(path.to_owned());
                    Ok(())
                }
            };
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Removes the directories that were made, the last first; those that others use by now stay.
pub fn unmake(made: &[PathBuf]) {
    for path in made.iter().rev() {
        let _ = remove_dir(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_is_unmade() {
        let base = std::env::temp_dir().join(format!("berth-dirs-{}", std::process::id()));
        std::fs::create_dir(&base).unwrap();
        let mut made = Vec::new();
        make(&base.join("a/b/c"), 0o700, &mut made).unwrap();
        assert_eq!(made, [base.join("a"), base.join("a/b"), base.join("a/b/c")]);
        unmake(&made);
        assert!(base.is_dir() && !base.join("a").exists());
        std::fs::remove_dir(&base).unwrap();
    }
}
