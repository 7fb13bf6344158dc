//! Packets of a stream connection: one byte kind, 4-byte little-endian length, then the bytes.

use super::messages::{Resize, packet};
use crate::frame::FrameError;

/// Bytes before a packet's body.
pub const HEAD_BYTES: usize = 5;

/// Longest body of a `resize` packet.
const MAX_RESIZE_BYTES: usize = 256;

/// The head of a packet of `kind` with a body of `length` bytes.
pub fn head(kind: u8, length: usize) -> [u8; HEAD_BYTES] {
    let [a, b, c, d] = (length as u32).to_le_bytes();
    [kind, a, b, c, d]
}

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// Bytes for stdin; a packet may come in several pieces.
    Stdin(Vec<u8>),
    CloseStdin,
    Resize(Resize),
}

/// Takes packets out of a connection's bytes; long stdin packets are handed on piece by piece, never gathered.
#[derive(Default)]
pub struct Reader {
    stdin_left: usize,
}

impl Reader {
    /// In the middle of a stdin packet of which so many bytes are still to come.
    pub fn new(stdin_left: usize) -> Self {
        Self { stdin_left }
    }

    pub fn stdin_left(&self) -> usize {
        self.stdin_left
    }

    /// The next input in `pending`; `Ok(None)` while more bytes are needed.
    pub fn take(&mut self, pending: &mut Vec<u8>) -> Result<Option<Input>, FrameError> {
        if self.stdin_left == 0 {
            let Some(&[kind, a, b, c, d]) = pending.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            match kind {
                packet::STDIN => self.stdin_left = length,
                packet::RESIZE if length <= MAX_RESIZE_BYTES => return take_resize(pending, length),
                _ => return Err(FrameError::new("invalid", format!("packet of kind {kind}, {length} bytes"))),
            }
            pending.drain(..HEAD_BYTES);
            if length == 0 {
                return Ok(Some(Input::CloseStdin));
            }
        }
        let count = self.stdin_left.min(pending.len());
        self.stdin_left -= count;
        let piece: Vec<u8> = pending.drain(..count).collect();
        Ok((count > 0).then_some(Input::Stdin(piece)))
    }
}

fn take_resize(pending: &mut Vec<u8>, length: usize) -> Result<Option<Input>, FrameError> {
    let Some(body) = pending.get(HEAD_BYTES..HEAD_BYTES + length) else { return Ok(None) };
    let size = serde_json::from_slice(body);
    pending.drain(..HEAD_BYTES + length);
    size.map(|size| Some(Input::Resize(size))).map_err(|error| FrameError::new("invalid", format!("resize: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
        [&head(kind, body.len())[..], body].concat()
    }

    #[test]
    fn packets_come_out_in_order_however_they_are_cut() {
        let size = Resize { width: 80, height: 24 };
        let whole =
            [packet(0, b"hello"), packet(4, br#"{"width":80,"height":24}"#), packet(0, b"x"), packet(0, b"")].concat();
        for cut in 0..=whole.len() {
            let (mut reader, mut pending, mut stdin, mut rest) =
                (Reader::default(), Vec::new(), Vec::new(), Vec::new());
            for part in [&whole[..cut], &whole[cut..]] {
                pending.extend_from_slice(part);
                while let Some(input) = reader.take(&mut pending).unwrap() {
                    match input {
                        Input::Stdin(piece) => stdin.extend(piece),
                        other => rest.push(other),
                    }
                }
            }
            assert_eq!(stdin, b"hellox");
            assert_eq!(rest, [Input::Resize(size), Input::CloseStdin]);
        }
    }

    #[test]
    fn a_long_stdin_packet_is_handed_on_before_it_is_complete() {
        let mut pending = head(packet::STDIN, 1 << 30).to_vec();
        pending.extend_from_slice(b"abc");
        let mut reader = Reader::default();
        assert_eq!(reader.take(&mut pending).unwrap(), Some(Input::Stdin(b"abc".to_vec())));
        assert!(pending.is_empty());
    }

    #[test]
    fn unknown_kinds_and_oversize_resizes_are_refused() {
        for bytes in [packet(1, b"x"), packet(9, b""), head(packet::RESIZE, 1 << 20).to_vec(), packet(4, b"{}")] {
            assert!(Reader::default().take(&mut bytes.clone()).is_err());
        }
    }
}
