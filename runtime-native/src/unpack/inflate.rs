//! The layer's tar out of its compressed blob. Every decoder reads its source to the very end.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::messages::Compression;

/// Bytes asked of the source at once.
const INPUT_BYTES: usize = 128 << 10;

/// A decoder over `R` that gives its source back.
pub enum Inflate<R: Read> {
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<R>>),
    Plain(R),
}

impl<R: Read> Inflate<R> {
    pub fn new(compression: Compression, source: R) -> io::Result<Self> {
        let buffered = |source| BufReader::with_capacity(INPUT_BYTES, source);
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(buffered(source)))),
            Compression::Zstd => Self::Zstd(zstd::stream::read::Decoder::with_buffer(buffered(source))?),
            Compression::None => Self::Plain(source),
        })
    }

    /// The source as read so far.
    pub fn source(&self) -> &R {
        match self {
            Self::Gzip(decoder) => decoder.get_ref().get_ref(),
            Self::Zstd(decoder) => decoder.get_ref().get_ref(),
            Self::Plain(source) => source,
        }
    }

    pub fn into_source(self) -> R {
        match self {
            Self::Gzip(decoder) => decoder.into_inner().into_inner(),
            Self::Zstd(decoder) => decoder.finish().into_inner(),
            Self::Plain(source) => source,
        }
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
            Self::Plain(source) => source.read(buffer),
        }
    }
}
