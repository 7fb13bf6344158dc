//! Exec: its streams, its end, its timeout, its terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Client, RESIZE, STATUS, STDIN, STDOUT, Stream};
use crate::pod::{Pod, Wish, eventually, process};

fn ask(script: &str) -> Value {
    let mut process = process(script, false);
    process.as_object_mut().unwrap().remove("terminal");
    json!({
        "container": "a", "exec": "e1", "process": process, "tty": false, "stdin": false, "timeoutMs": 0,
    })
}

fn with(mut ask: Value, changes: Value) -> Value {
    ask.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    ask
}

fn exec(pod: &Pod, ask: Value) -> Result<Stream, Value> {
    let mut client = pod.connect(-1);
    client.call("exec", ask)?;
    Ok(client.stream())
}

fn running() -> (Pod, Client) {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script("sleep 1000"));
    (pod, client)
}

/// Nobody in the container runs a command of that text.
fn nobody_runs(pod: &Pod, text: &str) -> bool {
    let procs = pod.cgroup_dirs("a").into_values().next().unwrap().join("cgroup.procs");
    let pids = fs::read_to_string(procs).unwrap_or_default();
    let command = |pid: &str| fs::read(Path::new("/proc").join(pid).join("cmdline")).unwrap_or_default();
    !pids.lines().any(|pid| String::from_utf8_lossy(&command(pid)).replace('\0', " ").contains(text))
}

#[test]
fn output_comes_split_and_the_exit_code_last() {
    let (pod, _client) = running();
    let stream = exec(&pod, ask("echo out; echo err >&2; exit 5")).unwrap();
    assert_eq!((&stream.stdout[..], &stream.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert_eq!(stream.status, json!({ "exitCode": 5, "signal": 0, "timedOut": false }));
    assert!(!pod.dir.join("a/exec-e1.json").exists());
    assert!(pod.cgroup_dirs("a").values().all(|dir| !dir.join("exec-e1").exists()));
}

#[test]
fn a_program_that_is_missing_is_said_and_the_connection_serves_on() {
    let (pod, _client) = running();
    let mut client = pod.connect(-1);
    let mut missing = ask("");
    missing["process"]["args"] = json!(["/bin/missing"]);
    let error = client.call("exec", missing).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("/bin/missing"), "{error}");
    client.call("exec", ask("exit 1")).unwrap();
    assert_eq!(client.stream().status["exitCode"], 1);
}

#[test]
fn a_timeout_kills_the_whole_exec_even_what_left_its_session() {
    let (pod, _client) = running();
    let begun = Instant::now();
    let script = "setsid sleep 7777 & echo before; sleep 7777";
    let stream = exec(&pod, with(ask(script), json!({ "timeoutMs": 4000 }))).unwrap();
    assert_eq!((&stream.status["timedOut"], &stream.stdout[..]), (&json!(true), &b"before\n"[..]));
    assert!(begun.elapsed() < Duration::from_secs(60));
    assert!(nobody_runs(&pod, "sleep 7777"));
    assert!(pod.cgroup_dirs("a").values().all(|dir| !dir.join("exec-e1").exists()));
}

#[test]
fn a_background_process_that_holds_the_output_does_not_hold_the_end() {
    let (pod, _client) = running();
    let begun = Instant::now();
    let stream = exec(&pod, ask("sleep 1000 & echo hi")).unwrap();
    assert_eq!((&stream.stdout[..], &stream.status["exitCode"]), (&b"hi\n"[..], &json!(0)));
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn closing_the_connection_kills_the_exec() {
    let (pod, _client) = running();
    let mut client = pod.connect(-1);
    client.call("exec", ask("setsid sleep 8888 & echo up; sleep 8888")).unwrap();
    assert_eq!(client.packet(), Some((STDOUT, b"up\n".to_vec())));
    drop(client);
    eventually("the exec is gone", || nobody_runs(&pod, "sleep 8888"));
}

#[test]
fn stdin_reaches_the_exec_and_an_empty_packet_ends_it() {
    let (pod, _client) = running();
    let mut client = pod.connect(-1);
    client.call("exec", with(ask("cat; echo end"), json!({ "stdin": true }))).unwrap();
    client.send_packet(STDIN, b"one ");
    client.send_packet(STDIN, b"two ");
    client.send_packet(STDIN, b"");
    assert_eq!(client.stream().stdout, b"one two end\n");
}

#[test]
fn megabytes_go_through_both_ways_with_back_pressure() {
    let (pod, _client) = running();
    let mut client = pod.connect(-1);
    client.call("exec", with(ask("cat"), json!({ "stdin": true }))).unwrap();
    let bytes: Vec<u8> = (0..4_000_000_u32).map(|number| (number * 7 >> 3) as u8).collect();
    let sent = bytes.clone();
    let mut writer = Client::over(client.socket.try_clone().unwrap());
    let sender = std::thread::spawn(move || {
        sent.chunks(100_000).for_each(|chunk| writer.send_packet(STDIN, chunk));
        writer.send_packet(STDIN, b"");
    });
    std::thread::sleep(Duration::from_millis(300));
    let rss = fs::read_to_string(format!("/proc/{}/status", pod.pid())).unwrap();
    let stream = client.stream();
    sender.join().unwrap();
    assert!(stream.stdout == bytes);
    let kib = |line: &str| line.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok());
    let anonymous = rss.lines().find(|line| line.starts_with("RssAnon")).and_then(kib).unwrap();
    assert!(anonymous < 1024, "{anonymous} KiB while the client does not read");
}

#[test]
fn what_comes_after_the_end_is_taken_so_that_a_client_that_still_writes_reads_the_end() {
    let (pod, _client) = running();
    let mut client = pod.connect(-1);
    client.call("exec", with(ask("echo out; exit 7"), json!({ "stdin": true }))).unwrap();
    let kinds: Vec<u8> = std::iter::from_fn(|| client.packet()).map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [STDOUT, STATUS]);
    for _ in 0..100 {
        client.send_packet(STDIN, &[b'x'; 10_000]);
    }
}

#[test]
fn a_terminal_has_the_size_it_is_told_and_sends_everything_as_stdout() {
    let (pod, _client) = running();
    let mut client = pod.connect(-1);
    client
        .call(
            "exec",
            with(ask("read line; stty size; echo got $line >&2; exit 3"), json!({ "tty": true, "stdin": true })),
        )
        .unwrap();
    client.send_packet(RESIZE, br#"{"width":91,"height":37}"#);
    client.send_packet(STDIN, b"word\n");
    let stream = client.stream();
    assert_eq!(String::from_utf8(stream.stdout).unwrap(), "word\r\n37 91\r\ngot word\r\n");
    assert_eq!((stream.stderr.len(), &stream.status["exitCode"]), (0, &json!(3)));
}

#[test]
fn execs_end_with_their_container_and_none_starts_after_it() {
    let (pod, mut client) = running();
    let mut stream = pod.connect(-1);
    stream.call("exec", ask("sleep 1000")).unwrap();
    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 0 })).unwrap();
    client.exit("a");
    assert_eq!(stream.stream().status["signal"], 9);
    assert_eq!(exec(&pod, ask("true")).unwrap_err()["kind"], "wrong-state");
    assert_eq!(exec(&pod, with(ask("true"), json!({ "container": "b" }))).unwrap_err()["kind"], "not-found");
}

#[test]
fn execs_run_side_by_side_and_end_as_they_are() {
    let (pod, _client) = running();
    let clients: Vec<_> = (0..6)
        .map(|number| {
            let mut client = pod.connect(-1);
            let script = format!("echo {number}; exit {number}");
            let id = client.ask("exec", with(ask(&script), json!({ "exec": format!("e{number}") })));
            (number, client, id)
        })
        .collect();
    for (number, mut client, id) in clients {
        client.answer(id).unwrap();
        let stream = client.stream();
        assert_eq!((stream.stdout, &stream.status["exitCode"]), (format!("{number}\n").into_bytes(), &json!(number)));
    }
}

#[test]
fn a_runtime_without_sub_cgroups_still_executes_and_its_exec_is_killed_by_its_tree() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let mut create = pod.create_ask("a", &Wish::script("sleep 1000"));
    let wrapper = pod.dir.join("wrapper");
    let real = create["runtime"]["path"].as_str().unwrap();
    fs::write(&wrapper, format!("#!/bin/sh\ncase \"$*\" in *--cgroup*) exit 1;; esac\nexec {real} \"$@\"\n")).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    create["runtime"]["path"] = json!(wrapper);
    client.call("create", create).unwrap();
    client.call("start", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();
    let stream = exec(&pod, with(ask("sleep 9999 & sleep 9999"), json!({ "timeoutMs": 1500 }))).unwrap();
    assert_eq!(stream.status["timedOut"], true);
    eventually("the exec is gone", || nobody_runs(&pod, "sleep 9999"));
}

#[test]
fn a_client_that_reads_late_gets_the_last_words_on_both_streams() {
    let (pod, _client) = running();
    for bytes in [200_000, 240_000, 270_000, 300_000] {
        let mut slow = pod.connect(-1);
        let script = format!("head -c {bytes} /dev/zero; echo over; echo words >&2");
        slow.call("exec", ask(&script)).unwrap();
        std::thread::sleep(Duration::from_millis(400));
        let stream = slow.stream();
        assert!(stream.stdout.ends_with(b"over\n"), "of {bytes} bytes {} came", stream.stdout.len());
        assert_eq!(stream.stderr, b"words\n", "after {bytes} bytes");
    }
}
