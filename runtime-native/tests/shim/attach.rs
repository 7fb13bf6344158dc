//! Attach: shared output, stdin, terminals.

use serde_json::json;

use crate::client::{RESIZE, STDIN, STDOUT};
use crate::pod::{Pod, Wish, eventually};

fn ask(stdin: bool) -> serde_json::Value {
    json!({ "container": "a", "stdin": stdin, "stdout": true, "stderr": true })
}

#[test]
fn clients_share_the_output_and_stdin_ends_with_the_one_that_had_it() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    let script = "while read line; do echo got $line; echo err >&2; done; echo end; exit 2";
    pod.run(&mut control, "a", &Wish { stdin: true, ..Wish::script(script) });
    let (mut writer, mut reader) = (pod.connect(-1), pod.connect(-1));
    assert_eq!(reader.call("attach", ask(false)).unwrap(), json!({ "tty": false }));
    writer.call("attach", ask(true)).unwrap();
    writer.send_packet(STDIN, b"one\n");
    assert_eq!(writer.packet(), Some((STDOUT, b"got one\n".to_vec())));
    writer.send_packet(STDIN, b"");
    for client in [&mut writer, &mut reader] {
        let stream = client.stream();
        assert!(stream.stdout.ends_with(b"end\n"));
        assert_eq!((stream.stderr, &stream.status["exitCode"]), (b"err\n".to_vec(), &json!(2)));
    }
    assert_eq!(control.exit("a")["exitCode"], 2);
    assert!(pod.log("a").contains("stdout F got one\n"));
}

#[test]
fn one_stream_too_many_is_refused_with_the_limit_and_calls_are_served_on() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    pod.run(&mut control, "a", &Wish::script("sleep 1000"));
    let mut clients: Vec<_> = (0..512).map(|_| pod.connect(-1)).collect();
    clients.iter_mut().for_each(|client| drop(client.call("attach", ask(false)).unwrap()));
    let mut late = pod.connect(-1);
    let refusal = late.call("attach", ask(false)).unwrap_err();
    assert_eq!(refusal["kind"], "exhausted");
    assert!(refusal["message"].as_str().unwrap().contains("(limit MAX_STREAMS, 512)"), "{refusal}");
    control.call("reopenLog", json!({ "container": "a" })).unwrap();
    clients.pop();
    eventually("room again", || late.call("attach", ask(false)).is_ok());
}

#[test]
fn closing_an_attach_ends_stdin_and_leaves_the_container() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    pod.run(&mut control, "a", &Wish { stdin: true, ..Wish::script("cat; echo at the end; sleep 1000") });
    let mut client = pod.connect(-1);
    client.call("attach", ask(true)).unwrap();
    client.send_packet(STDIN, b"bye\n");
    drop(client);
    eventually("stdin is at its end", || pod.log("a") == "stdout F bye\nstdout F at the end\n");
    assert_eq!(pod.connect(-1).hello["containers"][0]["state"], "running");
}

#[test]
fn a_terminal_is_logged_as_stdout_and_resized() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    let wish = Wish { tty: true, stdin: true, ..Wish::script("read line; stty size; echo err >&2") };
    pod.run(&mut control, "a", &wish);
    let mut client = pod.connect(-1);
    assert_eq!(client.call("attach", ask(true)).unwrap(), json!({ "tty": true }));
    client.send_packet(RESIZE, br#"{"width":100,"height":40}"#);
    client.send_packet(STDIN, b"go\n");
    let stream = client.stream();
    assert_eq!(String::from_utf8(stream.stdout).unwrap(), "go\r\n40 100\r\nerr\r\n");
    assert_eq!(control.exit("a")["exitCode"], 0);
    assert_eq!(pod.log("a"), "stdout F go\r\nstdout F 40 100\r\nstdout F err\r\n");
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    let script =
        "read go; i=0; while [ $i -lt 30000 ]; do echo a line of some length to fill buffers $i; i=$((i+1)); done";
    pod.run(&mut control, "a", &Wish { stdin: true, ..Wish::script(script) });
    let mut slow = pod.connect(-1);
    slow.call("attach", ask(true)).unwrap();
    slow.send_packet(STDIN, b"go\n");
    assert_eq!(control.exit("a")["exitCode"], 0);
    assert_eq!(pod.log("a").lines().count(), 30_000);
    let stream = slow.stream();
    assert_eq!(stream.status["kind"], "exhausted");
}

#[test]
fn a_client_that_reads_gets_all_of_a_burst_and_one_that_does_not_delays_it_but_little() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    pod.run(
        &mut control,
        "a",
        &Wish { stdin: true, ..Wish::script("read go; head -c 8000000 /dev/zero; echo; echo over") },
    );
    let mut slow = pod.connect(-1);
    slow.call("attach", ask(false)).unwrap();
    let mut quick = pod.connect(-1);
    quick.call("attach", ask(true)).unwrap();
    quick.send_packet(STDIN, b"go\n");
    let (start, stream) = (std::time::Instant::now(), quick.stream());
    assert!(stream.stdout.ends_with(b"\nover\n") && stream.stdout.len() == 8_000_006);
    assert!(start.elapsed() < std::time::Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(slow.stream().status["kind"], "exhausted");
}

#[test]
fn an_attach_to_a_stopped_container_is_refused() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    pod.run(&mut control, "a", &Wish::script("true"));
    control.exit("a");
    assert_eq!(pod.connect(-1).call("attach", ask(false)).unwrap_err()["kind"], "wrong-state");
}
