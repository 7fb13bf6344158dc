//! Frames between our own processes: 4-byte little-endian length, then JSON. Declared in `api/frame.ts`.

use serde::{Deserialize, Serialize};

/// The protocol version that engine and berthd, which come from one release, name in their first frame.
pub const PROTOCOL: u32 = 1;

/// Largest frame either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 16 << 20;

/// A failed call; `kind` is one of the kinds of `api/errors.ts`.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct FrameError {
    pub kind: String,
    pub message: String,
}

impl FrameError {
    /// An error of that kind whose message says what was tried and on what.
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into() }
    }
}

/// One frame holding `message`.
pub fn encode(message: &impl Serialize) -> Vec<u8> {
    let mut frame = vec![0; 4];
    // Writing to a Vec fails for maps with non-string keys alone, which no message has.
    let _ = serde_json::to_writer(&mut frame, message);
    let length = (frame.len() - 4) as u32;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    frame
}

/// Takes the first complete frame's body out of `pending`; `Ok(None)` while more bytes are needed.
pub fn take(pending: &mut Vec<u8>) -> Result<Option<Vec<u8>>, FrameError> {
    let Some(head) = pending.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*head) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(FrameError::new("invalid", format!("frame of {length} bytes, at most {MAX_FRAME_BYTES}")));
    }
    if pending.len() < 4 + length {
        return Ok(None);
    }
    let body = pending[4..4 + length].to_vec();
    pending.drain(..4 + length);
    Ok(Some(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_split_anywhere_comes_out_whole() {
        let whole = encode(&FrameError::new("invalid", "x"));
        for cut in 0..whole.len() {
            let mut pending = whole[..cut].to_vec();
            assert_eq!(take(&mut pending).unwrap(), None);
            pending.extend_from_slice(&whole[cut..]);
            let body = take(&mut pending).unwrap().unwrap();
            assert_eq!(serde_json::from_slice::<FrameError>(&body).unwrap().kind, "invalid");
            assert!(pending.is_empty());
        }
    }

    #[test]
    fn an_oversize_frame_is_refused_before_its_body_is_read() {
        let mut pending = (u32::MAX).to_le_bytes().to_vec();
        assert!(take(&mut pending).is_err());
    }
}
