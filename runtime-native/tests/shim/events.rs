//! Connections: hello, replay of events, garbage.

use std::io::Write;

use serde_json::json;

use crate::client::Client;
use crate::pod::{Pod, Wish};

#[test]
fn events_missed_come_again_by_number_and_no_others() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    for id in ["a", "b"] {
        pod.run(&mut client, id, &Wish::script("exit 1"));
        client.exit(id);
    }
    drop(client);
    let mut all = pod.connect(0);
    assert_eq!(all.hello["seq"], 2);
    assert_eq!(all.hello["containers"][1]["exit"]["exitCode"], 1);
    assert_eq!([all.event()["seq"].clone(), all.event()["seq"].clone()], [json!(1), json!(2)]);
    let mut second = pod.connect(1);
    assert_eq!((&second.event()["container"], second.hello["seq"].clone()), (&json!("b"), json!(2)));

    let mut none = pod.connect(-1);
    pod.run(&mut all, "c", &Wish::script("exit 1"));
    assert_eq!((all.exit("c")["seq"].clone(), second.exit("c")["seq"].clone()), (json!(3), json!(3)));
    assert!(none.call("reopenLog", json!({ "container": "x" })).is_err());
    none.call("delete", json!({ "container": "c", "timeoutMs": 5000 })).unwrap();
}

#[test]
fn nothing_is_answered_before_hello_nor_in_another_protocol() {
    let pod = Pod::new();
    let mut client = Client::new(&pod.dir.join("s"));
    client.ask("quit", json!({}));
    assert_eq!(client.frame().unwrap()["error"]["kind"], "invalid");
    assert_eq!(client.frame(), None);
    let mut client = Client::new(&pod.dir.join("s"));
    let error = client.call("hello", json!({ "protocol": 99, "sinceSeq": 0 })).unwrap_err();
    assert_eq!(error["kind"], "unsupported");
    let mut client = pod.connect(0);
    assert_eq!(client.call("dance", json!({})).unwrap_err()["kind"], "unsupported");
    assert_eq!(client.call("start", json!({ "container": 3 })).unwrap_err()["kind"], "invalid");
    assert!(client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 1 })).is_err());
}

#[test]
fn garbage_ends_the_connection_that_sent_it_and_no_other() {
    let pod = Pod::new();
    let mut good = pod.connect(0);
    for garbage in [&[0xff_u8; 64][..], &[2, 0, 0, 0, b'{', b'x'], &[0, 0, 0, 0], &[1, 0, 0, 0, b'7']] {
        let mut client = Client::new(&pod.dir.join("s"));
        client.socket.write_all(garbage).unwrap();
        assert_eq!(client.frame().unwrap()["error"]["kind"], "invalid");
        assert_eq!(client.frame(), None);
    }
    good.call("quit", json!({})).unwrap();
}

#[test]
fn at_most_64_clients_are_served() {
    let pod = Pod::new();
    let clients: Vec<_> = (0..64).map(|_| pod.connect(-1)).collect();
    assert_eq!(Client::new(&pod.dir.join("s")).frame(), None);
    drop(clients);
    crate::pod::eventually("a place is free again", || {
        let mut client = Client::new(&pod.dir.join("s"));
        let body = br#"{"id":1,"call":"hello","protocol":1,"sinceSeq":-1}"#;
        let head = (body.len() as u32).to_le_bytes();
        let _ = client.socket.write_all(&[&head[..], body].concat());
        client.frame().is_some()
    });
}
