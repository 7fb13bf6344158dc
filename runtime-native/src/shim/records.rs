//! CRI log records: `RFC3339Nano stdout|stderr F|P text`, one a line. Lines longer than the limit are split, all
//! pieces but the last tagged `P`.

use super::stdio::Stream;

/// Longest text of one record, in bytes.
pub const MAX_TEXT_BYTES: usize = 16 << 10;

/// The part of a line that has come so far, of one stream.
#[derive(Default)]
pub struct Partial(Vec<u8>);

impl Partial {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends to `out` the records that `chunk` completes, and keeps the rest.
    pub fn feed(&mut self, stream: Stream, stamp: &str, chunk: &[u8], out: &mut Vec<u8>) {
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            let (mut text, complete) = match line.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (line, false),
            };
            while let Some((head, rest)) = text.split_at_checked(MAX_TEXT_BYTES - self.0.len())
                && !rest.is_empty()
            {
                self.record(stream, stamp, b'P', head, out);
                text = rest;
            }
            if complete {
                self.record(stream, stamp, b'F', text, out);
            } else {
                self.0.extend_from_slice(text);
            }
        }
    }

    /// Appends what is kept as a record without a line's end, if there is anything.
    pub fn flush(&mut self, stream: Stream, stamp: &str, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            self.record(stream, stamp, b'P', &[], out);
        }
    }

    fn record(&mut self, stream: Stream, stamp: &str, tag: u8, text: &[u8], out: &mut Vec<u8>) {
        let name: &[u8] = match stream {
            Stream::Out => b" stdout ",
            Stream::Err => b" stderr ",
        };
        for piece in [stamp.as_bytes(), name, &[tag], b" ", &std::mem::take(&mut self.0), text, b"\n"] {
            out.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(chunks: &[&[u8]]) -> String {
        let (mut partial, mut out) = (Partial::default(), Vec::new());
        chunks.iter().for_each(|chunk| partial.feed(Stream::Out, "T", chunk, &mut out));
        partial.flush(Stream::Out, "T", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_line_is_one_full_record_however_it_arrives() {
        let whole = "T stdout F one\nT stdout F \nT stdout F two\n";
        assert_eq!(fed(&[b"one\n\ntwo\n"]), whole);
        assert_eq!(fed(&[b"o", b"ne", b"\n", b"\nt", b"wo\n"]), whole);
    }

    #[test]
    fn a_line_without_its_end_is_a_partial_record_at_the_end() {
        assert_eq!(fed(&[b"one\ntw", b"o"]), "T stdout F one\nT stdout P two\n");
    }

    #[test]
    fn long_lines_are_split_at_the_limit_and_not_before() {
        let line = |count: usize| "x".repeat(count);
        let limit = MAX_TEXT_BYTES;
        let exact = format!("{}\n", line(limit));
        assert_eq!(fed(&[exact.as_bytes()]), format!("T stdout F {}\n", line(limit)));
        let longer = format!("{}\n", line(2 * limit + 1));
        let expected = format!("T stdout P {0}\nT stdout P {0}\nT stdout F x\n", line(limit));
        assert_eq!(fed(&[longer.as_bytes()]), expected);
        let pieces: Vec<&[u8]> = longer.as_bytes().chunks(1000).collect();
        assert_eq!(fed(&pieces), expected);
    }
}
