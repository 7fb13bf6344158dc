//! findSources: host paths of mounts. They may lie on a file system that hangs, so they have a lane of their own.

use super::call::Call;
use super::dirs;
use super::messages::{FindSourcesAsk, FindSourcesReply, FoundSource, Source};
use crate::frame::FrameError;
use std::fs::canonicalize;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Says where each path leads to, links followed; one that is missing is made (a directory, 0755) where that is asked.
pub fn find_sources(ask: &FindSourcesAsk, call: &Call) -> Result<FindSourcesReply, FrameError> {
    let found = ask.sources.iter().map(|source| {
        call.check()?;
        Ok(match find(source) {
            Ok(path) => FoundSource { path, error: String::new() },
            Err(error) => FoundSource { path: String::new(), error: error.to_string() },
        })
    });
    found.collect::<Result<_, _>>().map(|found| FindSourcesReply { found })
}

fn find(source: &Source) -> io::Result<String> {
    let path = Path::new(&source.path);
    let found = match canonicalize(path) {
        Err(error) if error.kind() == ErrorKind::NotFound && source.make => {
            dirs::make(path, 0o755, &mut Vec::new())?;
            canonicalize(path)?
        }
        outcome => outcome?,
    };
    found
        .into_os_string()
        .into_string()
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "where it leads to is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_followed_and_missing_ones_made_only_where_asked() {
        let base = std::env::temp_dir().join(format!("berth-sources-{}", std::process::id()));
        std::fs::create_dir_all(base.join("real")).unwrap();
        std::os::unix::fs::symlink("real", base.join("link")).unwrap();
        std::os::unix::fs::symlink("nowhere", base.join("dangling")).unwrap();
        let at = |name: &str| base.join(name).to_str().unwrap().to_owned();
        let found = |name: &str, make| find(&Source { path: at(name), make });
        assert_eq!(found("link/new/deep", true).unwrap(), at("real/new/deep"));
        assert_eq!(found("link", false).unwrap(), at("real"));
        assert_eq!(found("missing", false).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(!base.join("missing").exists());
        assert!(found("dangling", true).is_err());
        assert!(find(&Source { path: "/proc/self/none/x".to_owned(), make: true }).is_err());
        std::fs::remove_dir_all(&base).unwrap();
    }
}
