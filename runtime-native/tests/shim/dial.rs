//! Connections into a pod's network.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use serde_json::json;

use crate::client::Client;
use crate::pod::{Pod, eventually};

/// Listens in the pod's network and hands the one connection that comes to `serve`.
pub fn listen<T: Send + 'static>(pod: &Pod, on: IpAddr, serve: fn(TcpStream) -> T) -> (u16, JoinHandle<T>) {
    let network = std::fs::File::open(format!("/proc/{}/ns/net", pod.pid())).unwrap();
    let (tell, port) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        let network_kind = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), network_kind).unwrap();
        let listener = TcpListener::bind((on, 0)).unwrap();
        tell.send(listener.local_addr().unwrap().port()).unwrap();
        serve(listener.accept().unwrap().0)
    });
    (port.recv().unwrap(), server)
}

pub fn dial(pod: &Pod, port: u16) -> Client {
    let mut client = pod.connect(-1);
    client.call("dial", json!({ "port": port })).unwrap();
    client
}

fn read_all(mut from: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_dialled_port_answers_after_the_client_has_said_all() {
    let pod = Pod::new();
    for on in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let (port, server) = listen(&pod, on, |mut peer| {
            let asked = read_all(&peer);
            peer.write_all(&asked).unwrap();
            peer.write_all(b" answered").unwrap();
        });
        let mut client = dial(&pod, port);
        client.socket.write_all(b"asked").unwrap();
        client.socket.shutdown(Shutdown::Write).unwrap();
        assert_eq!(read_all(&client.socket), b"asked answered");
        server.join().unwrap();
    }
}

#[test]
fn megabytes_pass_both_ways_though_neither_side_reads_at_first() {
    let pod = Pod::new();
    const MANY: usize = 8 << 20;
    let (port, server) = listen(&pod, Ipv4Addr::LOCALHOST.into(), |peer| {
        let mut writer = peer.try_clone().unwrap();
        let writing = thread::spawn(move || {
            writer.write_all(&vec![7; MANY]).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        thread::sleep(std::time::Duration::from_millis(200));
        let read = read_all(&peer);
        writing.join().unwrap();
        read
    });
    let client = dial(&pod, port);
    let mut writer = client.socket.try_clone().unwrap();
    let writing = thread::spawn(move || {
        writer.write_all(&vec![9; MANY]).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    thread::sleep(std::time::Duration::from_millis(200));
    assert!(read_all(&client.socket) == vec![7; MANY]);
    writing.join().unwrap();
    assert!(server.join().unwrap() == vec![9; MANY]);
}

#[test]
fn a_port_where_nobody_listens_is_an_error_and_the_connection_goes_on() {
    let pod = Pod::new();
    let mut client = pod.connect(-1);
    for _ in 0..3 {
        let error = client.call("dial", json!({ "port": 9 })).unwrap_err();
        assert_eq!(error["kind"], "unavailable");
        assert!(error["message"].as_str().unwrap().contains("refused"), "{error}");
    }
}

#[test]
fn either_side_that_goes_away_takes_the_connection_along() {
    let pod = Pod::new();
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", pod.pid())).unwrap().count();
    let before = descriptors();
    let (port, server) = listen(&pod, Ipv4Addr::LOCALHOST.into(), |peer| read_all(&peer).len());
    let mut client = dial(&pod, port);
    client.socket.write_all(b"xy").unwrap();
    drop(client);
    assert_eq!(server.join().unwrap(), 2);

    let (port, server) = listen(&pod, Ipv4Addr::LOCALHOST.into(), drop);
    let client = dial(&pod, port);
    server.join().unwrap();
    assert_eq!(read_all(&client.socket), b"");
    drop(client);
    eventually("the shim closes both ends", || descriptors() == before);
}

#[test]
fn a_pod_that_has_left_its_network_has_no_connection_into_it_and_gets_none_into_the_hosts() {
    let pod = Pod::new();
    let (port, server) = listen(&pod, Ipv4Addr::LOCALHOST.into(), |peer| read_all(&peer).len());
    let client = dial(&pod, port);
    let mut control = pod.connect(-1);
    control.call("leaveNetwork", json!({})).unwrap();
    assert_eq!(read_all(&client.socket), b"");
    assert_eq!(server.join().unwrap(), 0);

    let on_the_host = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let error = control.call("dial", json!({ "port": on_the_host.local_addr().unwrap().port() })).unwrap_err();
    assert_eq!(error["kind"], "wrong-state");
}
