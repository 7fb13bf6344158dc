//! An OCI runtime that hangs, chatters or dies half-way holds up nobody.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;
use crate::pod::{Pod, Wish, eventually};

/// A create ask whose runtime runs `script` with `$verb` set, and after that the real runtime.
pub fn with_runtime(pod: &Pod, id: &str, wish: &Wish, script: &str) -> Value {
    let mut ask = pod.create_ask(id, wish);
    let real = ask["runtime"]["path"].as_str().unwrap().to_owned();
    let path = pod.dir.join("fake-runtime");
    let verbs = "for word; do case $word in create|start|update|delete) verb=$word; break;; esac; done";
    fs::write(&path, format!("#!/bin/sh\n{verbs}\n{script}\nexec {real} \"$@\"\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    ask["runtime"]["path"] = json!(path);
    ask
}

fn timed(id: &str) -> Value {
    json!({ "container": id, "timeoutMs": 60_000 })
}

fn soon(begun: Instant) {
    assert!(begun.elapsed() < Duration::from_secs(30), "took {:?}", begun.elapsed());
}

#[test]
fn a_stop_gives_up_a_start_that_hangs() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let ask = with_runtime(&pod, "a", &Wish::script("sleep 100"), "[ $verb != start ] || sleep 50");
    client.call("create", ask).unwrap();
    let start = client.ask("start", timed("a"));
    let begun = Instant::now();
    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 0 })).unwrap();
    assert_eq!(client.answer(start).unwrap_err()["kind"], "cancelled");
    assert_eq!(client.exit("a")["signal"], 9);
    soon(begun);
    client.call("delete", timed("a")).unwrap();
}

#[test]
fn a_stop_within_its_grace_gives_up_an_update_that_hangs() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let ask = with_runtime(&pod, "a", &Wish::script(script), "[ $verb != update ] || sleep 50");
    client.call("create", ask).unwrap();
    client.call("start", timed("a")).unwrap();
    crate::pod::eventually("it is ready", || pod.log("a").contains("ready"));
    let update = client.ask("update", json!({ "container": "a", "resources": {}, "timeoutMs": 60_000 }));
    let begun = Instant::now();
    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 60_000 })).unwrap();
    assert_eq!(client.answer(update).unwrap_err()["kind"], "cancelled");
    assert_eq!(client.exit("a")["exitCode"], 3);
    soon(begun);
}

#[test]
fn a_stop_after_the_end_gives_up_a_start_that_still_hangs() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let script = "[ $verb != start ] || { \"$0-real\" \"$@\"; sleep 50; }";
    let ask = with_runtime(&pod, "a", &Wish::script("exit 4"), script);
    std::os::unix::fs::symlink(runtime_of(&pod), pod.dir.join("fake-runtime-real")).unwrap();
    let pid = client.call("create", ask).unwrap()["pid"].as_i64().unwrap();
    let start = client.ask("start", timed("a"));
    crate::pod::eventually("its process has ended", || !fs::exists(format!("/proc/{pid}")).unwrap());
    let begun = Instant::now();
    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 0 })).unwrap();
    assert!(client.answer(start).is_err());
    assert_eq!(client.exit("a")["exitCode"], 4);
    soon(begun);
}

fn runtime_of(pod: &Pod) -> String {
    pod.create_ask("unused", &Wish::script(""))["runtime"]["path"].as_str().unwrap().to_owned()
}

#[test]
fn a_runtime_that_chatters_during_create_is_read() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let chatter = "[ $verb != create ] || head -c 300000 /dev/zero | tr '\\0' '\\n' >&2";
    let mut ask = with_runtime(&pod, "a", &Wish::script("echo hi"), chatter);
    ask["timeoutMs"] = json!(60_000);
    client.call("create", ask).unwrap();
    client.call("start", timed("a")).unwrap();
    client.exit("a");
    // The last of the chatter may be read after it: they are two streams.
    eventually("its output in the log", || pod.log("a").contains("stdout F hi\n"));
}

#[test]
fn a_cgroup_that_is_busy_when_a_create_fails_is_emptied_and_removed() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let dirs = pod.cgroup_dirs("a");
    let dir = dirs.get("freezer").or(dirs.get("unified")).unwrap().display().to_string();
    // A child of the dead create comes late, when its cgroup was killed already.
    let script = format!(
        "[ $verb != create ] || {{ mkdir -p {dir}; exit 1; }}
         [ $verb != delete ] || {{ setsid sleep 50 & echo $! >{dir}/cgroup.procs; exit 0; }}"
    );
    let ask = with_runtime(&pod, "a", &Wish::script("true"), &script);
    assert!(create_error(&mut client, ask).contains("create"));
    assert!(!fs::exists(&dir).unwrap());
}

#[test]
fn what_a_runtime_noted_of_a_failed_create_goes_though_it_cannot_delete_it() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let noted = pod.dir.join("runtime/a");
    let script = format!("[ $verb != create ] || mkdir -p {}; exit 1", noted.display());
    let ask = with_runtime(&pod, "a", &Wish::script("true"), &script);
    assert!(create_error(&mut client, ask).contains("create"));
    assert!(!fs::exists(&noted).unwrap());
}

fn create_error(client: &mut Client, ask: Value) -> String {
    client.call("create", ask).unwrap_err()["message"].as_str().unwrap().to_owned()
}
