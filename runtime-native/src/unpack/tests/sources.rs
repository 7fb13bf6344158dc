//! A blob that goes on from another source where its first one gives no more.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::scratch::Scratch;
use super::server::{ReadWrite, Request, Server, respond, respond_length, serve};
use super::transfer::{Others, ask, fetch, gzip, noise, refusal, source};
use crate::frame::FrameError;
use crate::unpack::messages::Compression::{Gzip, None as Plain};
use crate::unpack::{FetchLayerAsk, FetchedLayer};

fn fetch_from(ask: &FetchLayerAsk, others: &Arc<Others>) -> Result<FetchedLayer, FrameError> {
    crate::unpack::fetch_layer(ask, others.clone(), &|_| (), &AtomicBool::new(false))
}

#[test]
fn a_token_that_expires_in_the_middle_is_replaced_and_the_blob_goes_on_at_the_next_byte() {
    let (scratch, tar) = (Scratch::new(), noise(3_000_000));
    let blob = gzip(&tar);
    let (body, half) = (blob.clone(), blob.len() / 2);
    let server = Server::start(move |count, request, connection| match (count, request.header("authorization")) {
        (0, _) => respond_length(&body, 0, half, connection),
        (_, Some("Bearer fresh")) => serve(&body, request, connection),
        _ => respond("401 Unauthorized", connection),
    });
    let mut renewed = source(server.port());
    renewed.headers.insert("Authorization".to_owned(), "Bearer fresh".to_owned());
    let others = Arc::new(Others { left: vec![renewed].into(), ..Others::default() });
    fetch_from(&ask(&scratch, server.port(), &blob, Gzip, &tar), &others).unwrap();
    assert_eq!(*others.asked.lock().unwrap(), [("denied".to_owned(), half as u64)]);
    assert_eq!(server.asked().iter().map(Request::start).collect::<Vec<_>>(), [0, half, half]);
    assert_eq!(fs::read(scratch.at("f")).unwrap(), tar[512..3_000_512]);
}

#[test]
fn a_source_that_will_not_do_is_left_for_the_next_one_whatever_it_says() {
    let tar = noise(100_000);
    type Answer = fn(&[u8], &mut dyn ReadWrite);
    let cases: [(Answer, &str); 8] = [
        (|_, connection| respond("404 Not Found", connection), "not-found"),
        (|_, connection| respond("301 Moved\r\nLocation: /v2/a/blobs/x", connection), "unavailable"),
        (|_, connection| respond("302 Found\r\nLocation: ://", connection), "unavailable"),
        (|_, connection| respond("503 Service Unavailable", connection), "registry-unavailable"),
        (|_, connection| respond("429 Too Many Requests\r\nRetry-After: 3600", connection), "registry-unavailable"),
        (|body, connection| respond_length(&body[1..], 0, 50_000, connection), "corrupt"),
        (|_, connection| respond("206 Partial Content\r\nContent-Range: bytes 7-9/10", connection), "unavailable"),
        (
            |_, connection| respond(&format!("200 OK\r\nX-Long: {}", "x".repeat(1 << 20)), connection),
            "registry-unavailable",
        ),
    ];
    for (answer, kind) in cases {
        let (scratch, body, lies) = (Scratch::new(), tar.clone(), tar.clone());
        let bad = Server::start(move |_, _, connection| answer(&lies, connection));
        let good = Server::start(move |_, request, connection| serve(&body, request, connection));
        let others = Arc::new(Others { left: vec![source(good.port())].into(), ..Others::default() });
        fetch_from(&ask(&scratch, bad.port(), &tar, Plain, &tar), &others).unwrap();
        assert_eq!(*others.asked.lock().unwrap(), [(kind.to_owned(), 0)]);
        assert_eq!(good.asked().len(), 1);
    }
}

#[test]
fn without_another_source_the_last_error_of_the_first_is_told() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let server = Server::start(|_, _, connection| {
        respond("429 Too Many Requests\r\nRetry-After: 3600", connection);
    });
    let error = refusal(&scratch, &ask(&scratch, server.port(), &tar, Plain, &tar));
    assert_eq!((error.kind.as_str(), server.asked().len()), ("registry-unavailable", 1));
    assert!(error.message.contains("429") && error.message.contains("3600 s"), "{}", error.message);
}

#[test]
fn a_busy_registry_is_left_alone_for_as_long_as_it_asks() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let body = tar.clone();
    let server = Server::start(move |count, request, connection| match count {
        0 => respond("503 Service Unavailable\r\nRetry-After: 1", connection),
        _ => serve(&body, request, connection),
    });
    let started = Instant::now();
    fetch(&ask(&scratch, server.port(), &tar, Plain, &tar)).unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn an_endless_answer_is_left_after_the_size_of_the_blob() {
    let (scratch, tar) = (Scratch::new(), noise(100_000));
    let body = tar.clone();
    let server = Server::start(move |_, _, connection| {
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
        let _ = connection.write_all(&[head.as_bytes(), &body, b"\r\n"].concat());
        while connection.write_all(&[b"8000\r\n", vec![b'x'; 0x8000].as_slice(), b"\r\n"].concat()).is_ok() {}
    });
    let error = refusal(&scratch, &ask(&scratch, server.port(), &tar, Plain, &tar));
    assert_eq!((error.kind.as_str(), server.asked().len()), ("corrupt", 1));
    assert!(error.message.contains("sends more"), "{}", error.message);
}
