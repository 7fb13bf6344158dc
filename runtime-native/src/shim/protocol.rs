//! Which version of the protocol a connection speaks: the newest that both sides know. A berthd is often newer than the
//! shims it finds, and older after a rollback.

use super::messages::{HelloAsk, Protocols};
use crate::frame::FrameError;

/// What this shim speaks, as `SHIM_PROTOCOLS` in `api/shim.ts`.
pub const SPOKEN: Protocols = Protocols { oldest: 1, newest: 2 };

/// The release of this program.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// The newest version that both speak; `unsupported` when there is none.
pub fn common(ask: &HelloAsk) -> Result<u32, FrameError> {
    // A berthd that names no range speaks one version.
    let theirs = ask.speaks.unwrap_or(Protocols { oldest: ask.protocol, newest: ask.protocol });
    let newest = theirs.newest.min(SPOKEN.newest);
    if newest >= theirs.oldest.max(SPOKEN.oldest) {
        return Ok(newest);
    }
    let message = format!(
        "protocols {} to {}: this shim, of release {RELEASE}, speaks {} to {}",
        theirs.oldest, theirs.newest, SPOKEN.oldest, SPOKEN.newest
    );
    Err(FrameError::new("unsupported", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(speaks: Option<(u32, u32)>) -> Result<u32, String> {
        let speaks = speaks.map(|(oldest, newest)| Protocols { oldest, newest });
        common(&HelloAsk { protocol: 1, speaks, since_seq: -1 }).map_err(|error| error.kind)
    }

    #[test]
    fn the_newest_common_version_is_spoken() {
        assert_eq!(chosen(None), Ok(1));
        assert_eq!(chosen(Some((1, 1))), Ok(1));
        assert_eq!(chosen(Some((1, 2))), Ok(2));
        assert_eq!(chosen(Some((2, 9))), Ok(2));
    }

    #[test]
    fn without_a_common_version_both_ranges_are_told() {
        assert_eq!(chosen(Some((3, 9))), Err("unsupported".to_owned()));
        assert_eq!(chosen(Some((0, 0))), Err("unsupported".to_owned()));
        let ask = HelloAsk { protocol: 7, speaks: None, since_seq: 0 };
        assert!(common(&ask).unwrap_err().message.starts_with("protocols 7 to 7: this shim, of release "));
    }
}
