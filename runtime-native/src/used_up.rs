//! When the machine has no more to give, whichever resource it is.

use std::error::Error;
use std::io;

use rustix::io::Errno;

/// Disk, quota, memory, descriptors of the process and of the machine, processes.
pub fn is_used_up(errno: Errno) -> bool {
    matches!(errno, Errno::NOSPC | Errno::DQUOT | Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::AGAIN)
}

/// The kind of a failure about which nothing else is known.
pub fn kind_of(error: &(dyn Error + 'static)) -> &'static str {
    let of_io = || error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error).map(Errno::from_raw_os_error);
    let errno = error.downcast_ref::<Errno>().copied().or_else(of_io);
    if errno.is_some_and(is_used_up) { "exhausted" } else { "internal" }
}

/// What other programs write of the same (strerror(3)), in any case of letters.
const WORDS: [&str; 5] = [
    "no space left on device",
    "disk quota exceeded",
    "cannot allocate memory",
    "too many open files",
    "resource temporarily unavailable",
];

/// The words in which a program's message says it.
pub fn said_in(message: &str) -> bool {
    let message = message.to_lowercase();
    WORDS.iter().any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_used_up_resource_is_known_by_number_and_by_words() {
        assert_eq!(kind_of(&Errno::MFILE), "exhausted");
        assert_eq!(kind_of(&io::Error::from(Errno::NOSPC)), "exhausted");
        assert_eq!(kind_of(&Errno::NOENT), "internal");
        assert_eq!(kind_of(&io::Error::other("no number")), "internal");
        assert!(said_in("runc: fork/exec /proc/self/exe: Resource temporarily unavailable"));
        assert!(!said_in("container does not exist"));
    }
}
