//! Layers that a registry will not or should not have given.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

use rustix::net::{AddressFamily, SocketType};

use super::scratch::Scratch;
use super::server::{Server, respond, serve};
use super::transfer::{ask, fetch, gzip, noise, refusal};
use crate::unpack::limits::Limits;
use crate::unpack::messages::Compression::{Gzip, None as Plain, Zstd};
use crate::unpack::messages::FetchLayerAsk;

#[test]
fn refusals_are_told_apart_and_only_passing_ones_tried_again() {
    let cases = [
        ("401 Unauthorized", "denied", 1),
        ("403 Forbidden", "denied", 1),
        ("404 Not Found", "not-found", 1),
        ("416 Range Not Satisfiable", "unavailable", 1),
        ("418 Teapot", "unavailable", 1),
        ("503 Service Unavailable", "registry-unavailable", 5),
    ];
    for (head, kind, attempts) in cases {
        let (scratch, tar) = (Scratch::new(), noise(10));
        let server = Server::start(move |_, _, connection| respond(head, connection));
        let error = refusal(&scratch, &ask(&scratch, server.port(), &tar, Plain, &tar));
        assert_eq!((error.kind.as_str(), server.asked().len()), (kind, attempts), "{head}: {}", error.message);
    }
}

#[test]
fn an_address_where_nobody_listens_is_unavailable() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let taken = rustix::net::socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&taken, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = SocketAddr::try_from(rustix::net::getsockname(&taken).unwrap()).unwrap().port();
    let error = refusal(&scratch, &ask(&scratch, port, &tar, Plain, &tar));
    assert_eq!(error.kind, "registry-unavailable");
    assert!(error.message.contains("127.0.0.1") && error.message.contains("attempt 5"), "{}", error.message);
}

#[test]
fn a_blob_of_another_size_or_content_is_corrupt() {
    let tar = noise(1000);
    let mut flipped = tar.clone();
    flipped[700] ^= 1;
    let chunked = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
        [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
    };
    let plain = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let longer = [tar.as_slice(), b"x"].concat();
    for (answer, told) in [
        (plain(&tar[..1000]), "the registry has 1000"),
        (plain(&longer), "the registry has 2561"),
        (chunked(&longer), "sends more"),
        (plain(&flipped), "blob should be sha256:"),
        (chunked(&flipped), "blob should be sha256:"),
    ] {
        let scratch = Scratch::new();
        let server = Server::start(move |_, _, connection| {
            let _ = connection.write_all(&answer);
        });
        let error = refusal(&scratch, &ask(&scratch, server.port(), &tar, Plain, &tar));
        assert_eq!(error.kind, "corrupt");
        assert!(error.message.contains(told), "{}", error.message);
    }
}

#[test]
fn a_good_blob_with_a_wrong_diff_id_or_unreadable_compression_is_inconsistent() {
    let tar = noise(1000);
    let garbage = [gzip(&tar).as_slice(), b"garbage"].concat();
    let truncated = gzip(&tar)[..500].to_vec();
    let other = noise(1001);
    for (blob, diff_of, told) in [
        (gzip(&tar), &other, "diffID should be sha256:"),
        (garbage, &tar, "cannot decompress"),
        (truncated, &tar, "cannot decompress"),
        (tar.clone(), &tar, "cannot decompress"),
    ] {
        let (scratch, body) = (Scratch::new(), blob.clone());
        let server = Server::start(move |_, request, connection| serve(&body, request, connection));
        let error = refusal(&scratch, &ask(&scratch, server.port(), &blob, Gzip, diff_of));
        assert_eq!(error.kind, "inconsistent");
        assert!(error.message.contains(told), "{}", error.message);
    }
}

#[test]
fn bytes_behind_the_archives_end_count_for_the_diff_id() {
    let tar = [noise(1000), vec![0; 500_000], b"trailer".to_vec()].concat();
    let (scratch, body) = (Scratch::new(), tar.clone());
    let server = Server::start(move |_, request, connection| serve(&body, request, connection));
    let layer = fetch(&ask(&scratch, server.port(), &tar, Plain, &tar)).unwrap();
    assert_eq!(layer.unpacked_bytes, tar.len() as u64);
}

#[test]
fn a_bomb_is_stopped_by_size_and_by_ratio() {
    let tar = vec![0; 4 << 20];
    let blob = zstd::encode_all(tar.as_slice(), 1).unwrap();
    let none = Limits::default();
    for (limits, told) in [
        (Limits { unpacked_bytes: 1 << 20, ..none }, "1048576 unpacked bytes, which --layer-unpacked-bytes allows"),
        (Limits { ratio_free_bytes: 1 << 20, ..none }, "per compressed byte, which --layer-ratio allows"),
    ] {
        let (scratch, body) = (Scratch::new(), blob.clone());
        let server = Server::start(move |_, request, connection| serve(&body, request, connection));
        let ask = FetchLayerAsk { limits, ..ask(&scratch, server.port(), &blob, Zstd, &tar) };
        let error = refusal(&scratch, &ask);
        assert!(error.kind == "exhausted" && error.message.contains(told), "{}", error.message);
    }
}

#[test]
fn a_blob_that_is_one_file_is_kept_as_it_is_and_never_outside() {
    let (scratch, blob) = (Scratch::new(), gzip(b"not unpacked"));
    let body = blob.clone();
    let server = Server::start(move |_, request, connection| serve(&body, request, connection));
    let file =
        |name: &str| FetchLayerAsk { file: name.to_owned(), ..ask(&scratch, server.port(), &blob, Plain, &blob) };
    assert_eq!(refusal(&scratch, &file("../outside")).kind, "invalid");
    assert_eq!(refusal(&scratch, &file("/")).kind, "invalid");
    let layer = fetch(&file("models/tiny.gz")).unwrap();
    assert_eq!(layer.inodes, 3);
    assert_eq!(fs::read(scratch.at("models/tiny.gz")).unwrap(), blob);
    assert_eq!(scratch.outside(), ["layer"]);
}

#[test]
fn what_lies_at_the_target_already_is_left_alone() {
    let (scratch, tar) = (Scratch::new(), noise(10));
    let body = tar.clone();
    let server = Server::start(move |_, request, connection| serve(&body, request, connection));
    fs::create_dir(scratch.layer()).unwrap();
    let error = fetch(&ask(&scratch, server.port(), &tar, Plain, &tar)).unwrap_err();
    assert_eq!(error.kind, "exists");
    assert!(scratch.layer().exists());
}
