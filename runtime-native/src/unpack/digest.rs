//! Digests as registries write them (`sha256:…`, `sha512:…`), and sums taken while bytes pass by.

use std::io::{self, Read};

use ring::digest::{Algorithm, Context, SHA256, SHA512};

use crate::frame::FrameError;

/// A well-formed digest: algorithm and lower-case hex of the right length (OCI image-spec, descriptor).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    text: String,
    algorithm: &'static Algorithm,
}

impl Digest {
    /// Reads `text`; `invalid` when the algorithm is unknown or the hex malformed.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        let malformed = || FrameError::new("invalid", format!("digest {text:?} is not sha256:… or sha512:…"));
        let (name, hex) = text.split_once(':').ok_or_else(malformed)?;
        let algorithm = match name {
            "sha256" => &SHA256,
            "sha512" => &SHA512,
            _ => return Err(malformed()),
        };
        let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_hex || hex.len() != 2 * algorithm.output_len() {
            return Err(malformed());
        }
        Ok(Self { text: text.to_owned(), algorithm })
    }

    /// A sum to be compared with this digest.
    pub fn sum(&self) -> Sum {
        Sum { expected: self.clone(), context: Context::new(self.algorithm), bytes: 0 }
    }
}

/// The bytes in lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A running sum and count of bytes.
pub struct Sum {
    expected: Digest,
    context: Context,
    bytes: u64,
}

impl Sum {
    pub fn update(&mut self, part: &[u8]) {
        self.context.update(part);
        self.bytes += part.len() as u64;
    }

    /// Bytes summed so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// `corrupt`, with expected and got, unless the sum is the expected digest of `what`.
    pub fn check(self, what: &str) -> Result<(), FrameError> {
        let Digest { text: expected, .. } = self.expected;
        let name = expected.split(':').next().unwrap_or_default();
        let got = format!("{name}:{}", hex(self.context.finish().as_ref()));
        if got == expected {
            return Ok(());
        }
        Err(FrameError::new("corrupt", format!("{what} should be {expected}, is {got}")))
    }
}

/// A reader that sums what passes through it.
pub struct Summed<R> {
    source: R,
    sum: Sum,
}

impl<R: Read> Summed<R> {
    pub fn new(source: R, digest: &Digest) -> Self {
        Self { source, sum: digest.sum() }
    }

    /// Bytes that have passed so far.
    pub fn bytes(&self) -> u64 {
        self.sum.bytes()
    }

    pub fn into_sum(self) -> Sum {
        self.sum
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn only_well_formed_digests_are_read() {
        assert!(Digest::parse(EMPTY).is_ok());
        assert!(Digest::parse(&format!("sha512:{}", "0a".repeat(64))).is_ok());
        for bad in ["", "sha256", "sha256:", "md5:00", &EMPTY.to_uppercase(), &EMPTY[..70], "sha512:e3b0"] {
            assert!(Digest::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wrong_sum_names_what_was_expected_and_what_came() {
        assert!(Digest::parse(EMPTY).unwrap().sum().check("blob").is_ok());
        let mut sum = Digest::parse(EMPTY).unwrap().sum();
        sum.update(b"abc");
        let error = sum.check("blob").unwrap_err();
        assert_eq!(error.kind, "corrupt");
        assert!(error.message.contains(EMPTY) && error.message.contains("sha256:ba7816bf8f01cfea"));
    }
}
