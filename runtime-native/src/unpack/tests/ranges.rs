//! A connection that is waited for gets others beside it, whatever the registry makes of ranges.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::crowd::{Asked, Crowd, head, part};
use super::scratch::Scratch;
use super::transfer::{ask, fetch, noise};
use crate::unpack::messages::Compression::None as Plain;

const PART: usize = 4 << 20;
/// Enough for some parts behind those that the first connection has brought before.
const SIZE: usize = 32 << 20;

/// Whole blobs come in drops until `enough` ranges have been asked for, then at once; ranges are answered by `ranged`.
fn dripping(
    blob: Vec<u8>,
    enough: usize,
    ranged: impl Fn(&[u8], (usize, usize), &mut TcpStream) -> bool + Send + Sync + 'static,
) -> Crowd {
    let ranges = AtomicUsize::new(0);
    Crowd::start(move |Asked { range, .. }, connection| {
        if let Some(range) = *range {
            ranges.fetch_add(1, Ordering::SeqCst);
            return ranged(&blob, range, connection);
        }
        let mut sent = 1 << 20;
        let mut open = head("200 OK", blob.len(), None, connection) && connection.write_all(&blob[..sent]).is_ok();
        while open && ranges.load(Ordering::SeqCst) < enough {
            thread::sleep(Duration::from_millis(50));
            open = connection.write_all(&blob[sent..sent + 1000]).is_ok();
            sent += 1000;
        }
        open && connection.write_all(&blob[sent..]).is_ok()
    })
}

/// Fetches a large plain layer from `server`, and checks that all of it is there.
fn fetched(server: impl FnOnce(Vec<u8>) -> Crowd) -> Vec<Asked> {
    let (scratch, tar) = (Scratch::new(), noise(SIZE));
    let server = server(tar.clone());
    let mut ask = ask(&scratch, server.port(), &tar, Plain, &tar);
    ask.stall_ms = 60_000;
    let layer = fetch(&ask).unwrap();
    assert_eq!(layer.unpacked_bytes, tar.len() as u64);
    assert!(fs::read(scratch.at("f")).unwrap() == tar[512..512 + SIZE]);
    server.asked()
}

fn ranges(asked: &[Asked]) -> Vec<(usize, usize)> {
    let mut ranges: Vec<_> = asked.iter().filter_map(|asked| asked.range).collect();
    ranges.sort();
    ranges
}

#[test]
fn parts_come_by_other_connections_each_once_and_in_their_order() {
    let asked =
        fetched(|blob| dripping(blob, 2, |blob, (first, last), connection| part(blob, first, last, connection)));
    let ranges = ranges(&asked);
    // How many more there are depends on who is quicker.
    assert!(ranges.len() >= 2, "{ranges:?}");
    assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{ranges:?}");
    assert!(ranges[..ranges.len() - 1].iter().all(|(first, last)| last + 1 - first == PART), "{ranges:?}");
    let connections = asked.iter().map(|asked| asked.connection).max();
    assert!(connections <= Some(4), "a connection serves one part after the other: {asked:?}");
}

#[test]
fn a_registry_that_ignores_ranges_is_read_by_the_first_connection_alone() {
    let asked = fetched(|blob| {
        dripping(blob, 1, |blob, _, connection| {
            let _ = head("200 OK", blob.len(), None, connection) && connection.write_all(&blob[..1000]).is_ok();
            false
        })
    });
    assert_eq!(asked.iter().filter(|asked| asked.range.is_none()).count(), 1);
    assert!(ranges(&asked).len() <= 3, "{asked:?}");
}

#[test]
fn a_registry_that_answers_another_range_is_read_by_the_first_connection_alone() {
    let asked = fetched(|blob| {
        dripping(blob, 1, |blob, (first, last), connection| {
            head("206 Partial Content", last - first, Some((first + 1, last, blob.len())), connection)
                && connection.write_all(&blob[first + 1..=last]).is_ok()
        })
    });
    assert_eq!(asked.iter().filter(|asked| asked.range.is_none()).count(), 1);
}

#[test]
fn ranges_that_break_off_are_read_by_the_first_connection() {
    let asked = fetched(|blob| {
        dripping(blob, 1, |blob, (first, last), connection| {
            let _ = head("206 Partial Content", last + 1 - first, Some((first, last, blob.len())), connection);
            let _ = connection.write_all(&blob[first..first + 5000]);
            false
        })
    });
    assert_eq!(asked.iter().filter(|asked| asked.range.is_none()).count(), 1);
}

#[test]
fn ranges_with_wrong_bytes_make_the_layer_be_fetched_again_without_any() {
    let asked = fetched(|mut blob| {
        let true_blob = blob.clone();
        blob.iter_mut().for_each(|byte| *byte ^= 1);
        dripping(true_blob, 1, move |_, (first, last), connection| part(&blob, first, last, connection))
    });
    let whole: Vec<_> = asked.iter().map(|asked| asked.range.is_none()).collect();
    assert_eq!(whole.iter().filter(|whole| **whole).count(), 2, "{asked:?}");
}

#[test]
fn helpers_hold_no_more_than_a_few_parts_of_a_blob_whose_reader_is_behind() {
    let most = Arc::new(AtomicUsize::new(0));
    let seen = most.clone();
    fetched(move |blob| {
        let ranges = AtomicUsize::new(0);
        Crowd::start(move |asked, connection| match asked.range {
            Some((first, last)) => {
                ranges.fetch_add(1, Ordering::SeqCst);
                part(&blob, first, last, connection)
            }
            None => {
                let mut sent = 1 << 20;
                let mut open =
                    head("200 OK", blob.len(), None, connection) && connection.write_all(&blob[..sent]).is_ok();
                // Long after the first range the reader has still not got to it.
                let mut after = 0;
                while open && after < 20 {
                    thread::sleep(Duration::from_millis(50));
                    open = connection.write_all(&blob[sent..sent + 1000]).is_ok();
                    sent += 1000;
                    after += usize::from(ranges.load(Ordering::SeqCst) > 0);
                }
                seen.store(ranges.load(Ordering::SeqCst), Ordering::SeqCst);
                open && connection.write_all(&blob[sent..]).is_ok()
            }
        })
    });
    let most = most.load(Ordering::SeqCst);
    assert!((1..=5).contains(&most), "{most}");
}
