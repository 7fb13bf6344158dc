//! findSources and readTexts: paths of the host that a pod names. They may lie on a file system that hangs, so they have a
//! lane of their own.

use super::call::Call;
use super::dirs;
use super::messages::{FindSourcesAsk, FindSourcesReply, FoundSource, ReadTextsAsk, ReadTextsReply, Source, TextRead};
use crate::frame::FrameError;
use std::fs::OpenOptions;
use std::fs::canonicalize;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
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

/// The text of each file, or why there is none: only regular files are read, and only up to so many bytes.
pub fn read_texts(ask: &ReadTextsAsk, call: &Call) -> Result<ReadTextsReply, FrameError> {
    let texts = ask.paths.iter().map(|path| {
        call.check()?;
        Ok(match read(path, ask.max_bytes) {
            Ok(text) => TextRead { text, error: String::new() },
            Err(error) => TextRead { text: String::new(), error: error.to_string() },
        })
    });
    texts.collect::<Result<_, _>>().map(|texts| ReadTextsReply { texts })
}

fn read(path: &str, max_bytes: u64) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut text = String::new();
    file.take(max_bytes + 1).read_to_string(&mut text)?;
    if text.len() as u64 > max_bytes {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("it has more than {max_bytes} bytes")));
    }
    Ok(text)
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

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let base = std::env::temp_dir().join(format!("berth-texts-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let at = |name: &str| base.join(name).to_str().unwrap().to_owned();
        std::fs::write(at("file"), "text").unwrap();
        std::fs::write(at("bytes"), b"\xff").unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, at("fifo"), rustix::fs::Mode::from(0o600)).unwrap();
        let why = |name: &str, max| read(&at(name), max).unwrap_err().to_string();
        assert_eq!(read(&at("file"), 4).unwrap(), "text");
        assert_eq!(why("file", 3), "it has more than 3 bytes");
        assert!(why("bytes", 9).contains("UTF-8"));
        assert_eq!(
            (why("fifo", 9), why(".", 9)),
            ("it is no regular file".to_owned(), "it is no regular file".to_owned())
        );
        assert!(why("none", 9).contains("No such file"));
        std::fs::remove_dir_all(&base).unwrap();
    }
}
