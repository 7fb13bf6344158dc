//! A shim becomes another build of itself while it serves.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::client::{Client, STDIN, STDOUT};
use crate::dial::{dial, listen};
use crate::pod::{Pod, Wish, eventually, process, start};
use crate::stuck::with_runtime;

/// Another build: the same program with a byte more.
fn other_build(pod: &Pod) -> PathBuf {
    let path = pod.dir.join("next");
    let mut bytes = fs::read(env!("CARGO_BIN_EXE_berth-native")).unwrap();
    bytes.push(0);
    program(path, &bytes)
}

fn program(path: PathBuf, bytes: &[u8]) -> PathBuf {
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn upgrade(client: &mut Client, path: impl Into<PathBuf>) -> Result<Value, Value> {
    client.call("upgrade", json!({ "path": path.into(), "timeoutMs": 30_000 }))
}

fn executes(pod: &Pod, path: &PathBuf) -> bool {
    fs::read_link(format!("/proc/{}/exe", pod.pid())).unwrap() == *path
}

fn descriptors(pod: &Pod) -> usize {
    fs::read_dir(format!("/proc/{}/fd", pod.pid())).unwrap().count()
}

fn exec(pod: &Pod, name: &str, script: &str, tty: bool) -> Client {
    let mut client = pod.connect(-1);
    let mut process = process(script, tty);
    process.as_object_mut().unwrap().remove("terminal");
    let ask = json!({ "container": "a", "exec": name, "process": process, "tty": tty, "stdin": true, "timeoutMs": 0 });
    client.call("exec", ask).unwrap();
    client
}

/// Reads packets until their bodies together end so.
fn hear(client: &mut Client, end: &str) {
    let mut heard = Vec::new();
    while !heard.ends_with(end.as_bytes()) {
        let (kind, body) = client.packet().unwrap();
        assert_eq!(kind, STDOUT, "{}", String::from_utf8_lossy(&body));
        heard.extend(body);
    }
}

#[test]
fn streams_tunnels_lines_and_exits_go_on_over_an_upgrade_and_back() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    pod.run(&mut control, "a", &Wish { stdin: true, ..Wish::script("printf ha; read line; echo lf $line; exit 6") });
    pod.run(
        &mut control,
        "b",
        &Wish::script("i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); sleep 0.01; done"),
    );
    let mut plain = exec(&pod, "plain", "while read line; do echo got $line; done; exit 7", false);
    let mut terminal =
        exec(&pod, "terminal", "stty -echo; echo ready; read line; echo got $line; read line; exit 8", true);
    hear(&mut terminal, "ready\r\n");
    let (port, server) = listen(&pod, std::net::Ipv4Addr::LOCALHOST.into(), |mut peer| {
        let mut bytes = [0; 1];
        while peer.read(&mut bytes).unwrap() > 0 {
            peer.write_all(&bytes).unwrap();
        }
    });
    let mut tunnel = dial(&pod, port);
    let mut attached = pod.connect(-1);
    attached.call("attach", json!({ "container": "a", "stdin": true, "stdout": true, "stderr": true })).unwrap();
    let (next, first) = (other_build(&pod), PathBuf::from(env!("CARGO_BIN_EXE_berth-native")));
    let held = descriptors(&pod);

    for (number, path) in [&next, &first, &next, &next].into_iter().enumerate() {
        // Half a packet is on its way each time.
        plain.socket.write_all(&[STDIN, 4, 0, 0, 0, b'x', b'0' + number as u8]).unwrap();
        tunnel.socket.write_all(b"t").unwrap();
        let reply = upgrade(&mut control, path).unwrap();
        assert_eq!(reply, json!({ "version": "0.1.0", "speaks": { "oldest": 1, "newest": 2 } }));
        assert!(executes(&pod, path));
        eventually("the descriptors of before", || descriptors(&pod) <= held);
        plain.socket.write_all(b"y\n").unwrap();
        hear(&mut plain, &format!("got x{number}y\n"));
        let mut echoed = [0; 1];
        tunnel.socket.read_exact(&mut echoed).unwrap();
        assert_eq!(echoed, *b"t");
    }

    terminal.send_packet(STDIN, b"typed\n");
    hear(&mut terminal, "got typed\r\n");
    terminal.send_packet(STDIN, b"\n");
    assert_eq!(terminal.stream().status["exitCode"], 8);
    plain.send_packet(STDIN, b"");
    assert_eq!(plain.stream().status["exitCode"], 7);
    drop(tunnel);
    server.join().unwrap();
    attached.send_packet(STDIN, b"over\n");
    let stream = attached.stream();
    assert!(stream.stdout.ends_with(b"lf over\n"));
    assert_eq!(stream.status["exitCode"], 6);
    // Which of them ends first is open.
    assert_eq!(pod.connect(0).exit("a")["exitCode"], 6);
    assert_eq!(pod.connect(0).exit("b")["exitCode"], 0);
    let lines: String = (0..300).map(|number| format!("stdout F line {number}\n")).collect();
    assert_eq!(pod.log("b"), lines);
    assert_eq!(pod.log("a").replace("stdout P ", "").replace("stdout F ", "").replace('\n', ""), "half over");
    for id in ["a", "b"] {
        control.call("delete", json!({ "container": id, "timeoutMs": 60_000 })).unwrap();
    }
    control.call("quit", json!({})).unwrap();
}

#[test]
fn exits_before_and_a_stop_under_way_are_kept_and_news_are_told_again() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    pod.run(&mut control, "ended", &Wish::script("exit 3"));
    control.exit("ended");
    pod.run(&mut control, "stubborn", &Wish::script("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
    eventually("it is ready", || pod.log("stubborn").contains("ready"));
    control.call("stop", json!({ "container": "stubborn", "signal": 15, "graceMs": 1_500 })).unwrap();
    upgrade(&mut control, other_build(&pod)).unwrap();
    let exit = control.exit("stubborn");
    assert_eq!((&exit["signal"], &exit["seq"]), (&json!(9), &json!(2)));
    let mut late = pod.connect(0);
    assert_eq!((late.exit("ended")["exitCode"].clone(), late.exit("stubborn")["signal"].clone()), (json!(3), json!(9)));
    let held =
        |id: &str| late.hello["containers"].as_array().unwrap().iter().find(|it| it["id"] == id).unwrap().clone();
    assert_eq!((&held("ended")["state"], &held("ended")["exit"]["exitCode"]), (&json!("stopped"), &json!(3)));
}

#[test]
fn an_upgrade_waits_for_the_runtime_and_gives_up_in_the_end() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    let go = pod.dir.join("go");
    let script = format!("while [ $verb = create ] && [ ! -e {} ]; do sleep 0.02; done", go.display());
    let create = control.ask("create", with_runtime(&pod, "a", &Wish::script("sleep 1000"), &script));
    let next = other_build(&pod);
    let refusal = control.call("upgrade", json!({ "path": next, "timeoutMs": 300 })).unwrap_err();
    assert_eq!(refusal["kind"], "wrong-state");
    let again = control.ask("upgrade", json!({ "path": next, "timeoutMs": 60_000 }));
    let refusal = upgrade(&mut pod.connect(-1), &next).unwrap_err();
    assert!(refusal["message"].as_str().unwrap().ends_with("another upgrade is on its way"), "{refusal}");
    fs::write(go, "").unwrap();
    control.answer(create).unwrap();
    control.answer(again).unwrap();
    assert!(executes(&pod, &next));
    control.call("delete", json!({ "container": "a", "timeoutMs": 60_000 })).unwrap();
}

#[test]
fn what_is_no_other_build_of_it_changes_nothing() {
    let pod = Pod::new();
    let mut control = pod.connect(0);
    pod.run(&mut control, "a", &Wish::script("sleep 1000"));
    let before = fs::read_link(format!("/proc/{}/exe", pod.pid())).unwrap();
    let (held, own) = (descriptors(&pod), fs::read(&before).unwrap());
    let cases = [
        ("missing", pod.dir.join("missing"), "invalid"),
        ("garbage", program(pod.dir.join("garbage"), &[7; 4096]), "unsupported"),
        ("a part of it", program(pod.dir.join("part"), &own[..16 << 10]), "unsupported"),
        ("not executable", pod.dir.join("pod.json"), "unsupported"),
        ("any program", "/bin/true".into(), "unsupported"),
        ("one that fails", "/bin/false".into(), "unsupported"),
    ];
    for (what, path, kind) in cases {
        let refusal = upgrade(&mut control, path).unwrap_err();
        assert_eq!(refusal["kind"], kind, "{what}: {refusal}");
    }
    let refusal = upgrade(&mut control, "/usr/bin/yes").unwrap_err();
    assert!(refusal["message"].as_str().unwrap().ends_with("its rehearsal does not come to an end"), "{refusal}");
    assert!(executes(&pod, &before));
    eventually("the end of the last rehearsal", || descriptors(&pod) <= held);
    upgrade(&mut control, other_build(&pod)).unwrap();
    assert_eq!(exec(&pod, "e", "exit 4", false).stream().status["exitCode"], 4);
}

#[test]
fn a_pod_with_a_pid_one_and_a_user_namespace_gives_all_back_after_an_upgrade() {
    let ids = json!([{ "containerId": 0, "hostId": 131_072, "size": 65_536 }]);
    let pod = start(json!({ "pid": "pod", "user": { "uids": ids, "gids": ids } })).unwrap();
    let mut control = pod.connect(0);
    let link = fs::read_link(pod.dir.join("user")).unwrap();
    let namespace = || fs::read_link(&link).unwrap();
    let (before, own) = (namespace(), fs::read_link(format!("/proc/{}/ns/net", pod.pid())).unwrap());
    upgrade(&mut control, other_build(&pod)).unwrap();
    assert_eq!(namespace(), before);
    let networks = || {
        let tasks = fs::read_dir(format!("/proc/{}/task", pod.pid())).unwrap();
        tasks.map(|task| fs::read_link(task.unwrap().path().join("ns/net")).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(networks().iter().filter(|network| **network == own).count(), 1);
    control.call("leaveNetwork", json!({})).unwrap();
    upgrade(&mut control, env!("CARGO_BIN_EXE_berth-native")).unwrap();
    assert!(!networks().contains(&own));
    assert_eq!(control.call("dial", json!({ "port": 1 })).unwrap_err()["kind"], "wrong-state");
    control.call("quit", json!({})).unwrap();
    eventually("the end of PID 1", || !std::path::Path::new(&format!("/proc/{}", pod.pause_pid)).exists());
}

#[test]
fn a_version_that_cannot_take_over_gives_the_process_back() {
    let path = std::env::temp_dir().join(format!("berth-state-{}", std::process::id()));
    let run = |state: &str| {
        fs::write(&path, state).unwrap();
        let mut command = std::process::Command::new("sh");
        let script = "exec 5<\"$1\" 6</bin/echo; exec \"$0\" shim resume 5 6";
        let output = command.args(["-c", script, env!("CARGO_BIN_EXE_berth-native")]).arg(&path).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run("{\"state\": 2}"), "shim resume 5 failed a shim's state of version 2, not 1\n");
    assert!(run("{\"state\": 1}").starts_with("shim resume 5 failed read a shim's state: missing field"));
    fs::remove_file(path).unwrap();
}
