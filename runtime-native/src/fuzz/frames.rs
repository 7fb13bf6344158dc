//! Frames as the engine and the shim read them: taken out of a stream in pieces, then parsed as any of the asks.

use serde::de::DeserializeOwned;

use super::{Dice, fuzz, mutated};
use crate::engine::messages as engine;
use crate::frame::{MAX_FRAME_BYTES, encode, take};
use crate::shim::messages as shim;
use crate::shim::packet::{Input, Reader, head};
use crate::unpack::FetchLayerAsk;

#[test]
fn frames() {
    let examples: serde_json::Value = serde_json::from_str(include_str!("../../../api/frames.examples.json")).unwrap();
    let asks = |side: &str| examples[side]["calls"].as_object().unwrap().values().map(|call| encode(&call["ask"]));
    let seeds: Vec<_> = asks("engine").chain(asks("shim")).collect();
    fuzz("native-frames", &seeds, mutated, |input, dice| {
        let whole = taken(&[input]);
        assert_eq!(whole, taken(&cut(input, dice)), "whole and in pieces");
        let parsed: Vec<_> = whole.iter().flatten().map(|body| parsed_as(body)).collect();
        format!("{parsed:?}")
    });
}

/// The frames in the stream; `None` where it is no stream of frames any more.
fn taken(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
    let mut pending = Vec::new();
    let mut frames = Vec::new();
    for piece in pieces {
        pending.extend_from_slice(piece);
        loop {
            match take(&mut pending) {
                Ok(Some(body)) => frames.push(Some(body)),
                Ok(None) => break,
                Err(_) => {
                    frames.push(None);
                    return frames;
                }
            }
        }
        assert!(pending.len() <= MAX_FRAME_BYTES);
    }
    frames
}

/// Which of the asks the body can be read as.
fn parsed_as(body: &[u8]) -> u8 {
    let reads = [
        reads::<FetchLayerAsk>(body),
        reads::<engine::Ask>(body),
        reads::<engine::SpawnShimAsk>(body),
        reads::<engine::RunAsk>(body),
        reads::<engine::MountRootfsAsk>(body),
        reads::<engine::SampleAsk>(body),
        reads::<shim::CreateAsk>(body),
        reads::<shim::ExecAsk>(body),
    ];
    reads.iter().fold(0, |sum, read| sum << 1 | u8::from(*read))
}

fn reads<A: DeserializeOwned>(body: &[u8]) -> bool {
    serde_json::from_slice::<A>(body).is_ok()
}

/// What a client of exec and attach sends; stdin is put together again.
#[test]
fn packets() {
    let packet = |kind: u8, body: &[u8]| [&head(kind, body.len())[..], body].concat();
    let resize = packet(4, br#"{"width":80,"height":24}"#);
    let seeds = [[packet(0, b"hello"), resize.clone(), packet(0, b"")].concat(), resize];
    fuzz("native-packets", &seeds, mutated, |input, dice| {
        let whole = inputs_of(&[input]);
        let pieces = inputs_of(&cut(input, dice));
        assert_eq!(whole, pieces, "whole and in pieces");
        format!("{} {} {}", whole.0.len().min(9), whole.1.len().min(9), whole.2)
    });
}

/// All of stdin, the rest in order, and whether it ended as no stream of packets.
fn inputs_of(pieces: &[&[u8]]) -> (Vec<u8>, Vec<Input>, bool) {
    let (mut reader, mut pending, mut stdin, mut rest) = (Reader::default(), Vec::new(), Vec::new(), Vec::new());
    for piece in pieces {
        pending.extend_from_slice(piece);
        loop {
            match reader.take(&mut pending) {
                Ok(Some(Input::Stdin(part))) => stdin.extend(part),
                Ok(Some(other)) => rest.push(other),
                Ok(None) => break,
                Err(_) => return (stdin, rest, true),
            }
        }
    }
    (stdin, rest, false)
}

fn cut<'a>(input: &'a [u8], dice: &mut Dice) -> Vec<&'a [u8]> {
    let mut rest = input;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.len().min(1 + dice.below(50)));
        pieces.push(piece);
        rest = after;
    }
    pieces
}
