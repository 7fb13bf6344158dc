//! Layers over real connections, good and bad.

use std::cell::Cell;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::scratch::Scratch;
use super::server::{ReadWrite, Request, Server, respond, respond_length, serve};
use super::transfer::{ask, fetch, gzip, hex, noise, none, refusal};
use crate::unpack::messages::Compression::{Gzip, None as Plain, Zstd};

#[test]
fn every_compression_unpacks_to_the_same_tree() {
    let tar = noise(300_000);
    let members = [gzip(&tar[..1000]), gzip(&[]), gzip(&tar[1000..])].concat();
    let zstd = zstd::encode_all(tar.as_slice(), 1).unwrap();
    let frames = [zstd::encode_all(&tar[..512], 1).unwrap(), zstd::encode_all(&tar[512..], 3).unwrap()].concat();
    for (blob, compression) in [(gzip(&tar), Gzip), (members, Gzip), (zstd, Zstd), (frames, Zstd), (tar.clone(), Plain)]
    {
        let (scratch, body) = (Scratch::new(), blob.clone());
        let server = Server::start(move |_, request, connection| serve(&body, request, connection));
        let mut ask = ask(&scratch, server.port(), &blob, compression, &tar);
        ask.digest = hex("sha512", &blob);
        let told = Cell::new(0);
        let layer =
            crate::unpack::fetch_layer(&ask, none(), &|bytes| told.set(bytes), &AtomicBool::new(false)).unwrap();
        assert_eq!((layer.unpacked_bytes, layer.inodes, told.get()), (tar.len() as u64, 2, blob.len() as u64));
        assert_eq!(fs::read(scratch.at("f")).unwrap(), tar[512..300_512]);
        let request = &server.asked()[0];
        assert_eq!(request.path, "/v2/a/blobs/x");
        assert_eq!(request.header("authorization"), Some("Bearer secret-token"));
        assert_eq!(request.header("host"), Some(format!("registry.test:{}", server.port()).as_str()));
    }
}

#[test]
fn the_first_address_that_answers_is_used() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let body = tar.clone();
    let server = Server::start(move |_, request, connection| serve(&body, request, connection));
    let mut ask = ask(&scratch, server.port(), &tar, Plain, &tar);
    ask.source.addresses.insert(0, "127.0.0.2".parse().unwrap());
    fetch(&ask).unwrap();
}

#[test]
fn a_redirect_to_another_host_gets_no_credentials_and_one_to_the_same_does() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let body = tar.clone();
    let cdn = Server::start(move |_, request, connection| serve(&body, request, connection));
    let away = format!("307 Temporary Redirect\r\nLocation: http://127.0.0.1:{}/blob?sig=secret", cdn.port());
    let registry = Server::start(move |count, _, connection| {
        respond(if count == 0 { "302 Found\r\nLocation: /elsewhere" } else { &away }, connection);
    });
    fetch(&ask(&scratch, registry.port(), &tar, Plain, &tar)).unwrap();
    assert_eq!(registry.asked()[1].path, "/elsewhere");
    assert!(registry.asked().iter().all(|request| request.header("authorization").is_some()));
    assert_eq!(cdn.asked()[0].path, "/blob?sig=secret");
    assert_eq!(cdn.asked()[0].header("authorization"), None);
}

#[test]
fn redirects_in_a_circle_end() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let server = Server::start(|_, _, connection| respond("301 Moved\r\nLocation: /v2/a/blobs/x", connection));
    let error = refusal(&scratch, &ask(&scratch, server.port(), &tar, Plain, &tar));
    assert_eq!((error.kind.as_str(), server.asked().len()), ("unavailable", 6));
}

#[test]
fn a_broken_connection_is_resumed_at_the_next_byte() {
    let (scratch, tar) = (Scratch::new(), noise(3_000_000));
    let blob = gzip(&tar);
    let (body, third) = (blob.clone(), blob.len() / 3);
    let server = Server::start(move |count, request, connection| {
        let start = request.start();
        respond_length(&body, start, if count < 2 { third } else { body.len() - start }, connection);
    });
    fetch(&ask(&scratch, server.port(), &blob, Gzip, &tar)).unwrap();
    let starts: Vec<_> = server.asked().iter().map(Request::start).collect();
    assert_eq!(starts, [0, third, 2 * third]);
}

#[test]
fn a_registry_that_knows_no_ranges_is_read_again_up_to_the_same_byte() {
    let (scratch, tar) = (Scratch::new(), noise(100_000));
    let body = tar.clone();
    let server = Server::start(move |count, _, connection| {
        respond_length(&body, 0, if count == 0 { 50_000 } else { body.len() }, connection);
    });
    fetch(&ask(&scratch, server.port(), &tar, Plain, &tar)).unwrap();
    assert_eq!(server.asked()[1].start(), 50_000);
}

#[test]
fn a_silent_connection_is_given_up_and_replaced() {
    let (scratch, tar) = (Scratch::new(), noise(100_000));
    let body = tar.clone();
    let server = Server::start(move |count, request, connection| {
        if count == 0 {
            respond_length(&body, 0, 50_000, connection);
            wait_for_the_end_of(connection);
        } else {
            serve(&body, request, connection);
        }
    });
    let mut ask = ask(&scratch, server.port(), &tar, Plain, &tar);
    ask.stall_ms = 1500;
    fetch(&ask).unwrap();
    assert_eq!(server.asked()[1].start(), 50_000);
}

#[test]
fn a_cancelled_fetch_ends_at_once_and_leaves_nothing() {
    let (scratch, tar) = (Scratch::new(), noise(100_000));
    let body = tar.clone();
    let (tell, silent) = mpsc::channel();
    let server = Server::start(move |_, _, connection| {
        respond_length(&body, 0, 50_000, connection);
        tell.send(()).unwrap();
        wait_for_the_end_of(connection);
    });
    let mut ask = ask(&scratch, server.port(), &tar, Plain, &tar);
    ask.stall_ms = 600_000;
    let cancelled = &AtomicBool::new(false);
    let started = Instant::now();
    let error = thread::scope(|scope| {
        scope.spawn(move || {
            silent.recv().unwrap();
            cancelled.store(true, Ordering::Relaxed);
        });
        crate::unpack::fetch_layer(&ask, none(), &|_| (), cancelled).unwrap_err()
    });
    assert_eq!(error.kind, "cancelled");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert!(scratch.outside().is_empty());
}

/// Says nothing more, until the client has closed the connection.
fn wait_for_the_end_of(connection: &mut dyn ReadWrite) {
    let _ = connection.flush();
    let _ = std::io::copy(connection, &mut std::io::sink());
}
