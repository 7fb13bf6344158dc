//! Create, start, log, exit, update, delete.

use std::fs;

use serde_json::json;

use crate::pod::{Pod, Wish, eventually};

#[test]
fn a_container_is_created_started_logged_and_its_exit_code_told() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let pid = pod.run(&mut client, "a", &Wish::script("echo out; echo err >&2; hostname; printf end; exit 7"));
    let exit = client.exit("a");
    assert_eq!((&exit["exitCode"], &exit["signal"], &exit["pid"]), (&json!(7), &json!(0), &json!(pid)));
    let mut log: Vec<_> = pod.log("a").lines().map(str::to_owned).collect();
    log.sort();
    assert_eq!(log, ["stderr F err", "stdout F host-of-the-pod", "stdout F out", "stdout P end"]);
    let file: serde_json::Value = serde_json::from_slice(&fs::read(pod.dir.join("exits/a")).unwrap()).unwrap();
    assert_eq!(file["exitCode"], 7);
    client.call("delete", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();
    client.call("quit", json!({})).unwrap();
    eventually("the shim's socket is gone", || !pod.dir.join("s").exists());
}

#[test]
fn a_process_that_ends_at_once_keeps_its_code_and_its_output() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    for number in 0..5 {
        let id = format!("a{number}");
        pod.run(&mut client, &id, &Wish::script(&format!("echo {number}; exit {number}")));
        assert_eq!(client.exit(&id)["exitCode"], number);
        assert_eq!(pod.log(&id), format!("stdout F {number}\n"));
    }
}

#[test]
fn a_create_that_fails_says_why_and_leaves_nothing() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let ask = pod.create_ask("a", &Wish::script("true"));
    let config = pod.dir.join("a/config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("/bin/sh", "/bin/missing")).unwrap();
    let error = client.call("create", ask.clone()).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("/bin/missing"), "{error}");
    assert!(!pod.log_path("a").exists());
    assert!(pod.cgroup_dirs("a").values().all(|dir| !dir.exists()));
    assert_eq!(fs::read_dir(pod.dir.join("runtime")).unwrap().count(), 0);
    assert_eq!(pod.connect(-1).hello["containers"], json!([]));

    fs::write(&config, text).unwrap();
    client.call("create", ask).unwrap();
    client.call("delete", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();
}

#[test]
fn a_create_that_takes_too_long_is_a_timeout_and_leaves_nothing() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let mut ask = pod.create_ask("a", &Wish::script("true"));
    ask["timeoutMs"] = json!(5);
    assert_eq!(client.call("create", ask).unwrap_err()["kind"], "timeout");
    assert!(pod.cgroup_dirs("a").values().all(|dir| !dir.exists()));
    assert_eq!(pod.connect(-1).hello["containers"], json!([]));
}

#[test]
fn a_runtime_that_cannot_be_executed_is_unavailable() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let mut ask = pod.create_ask("a", &Wish::script("true"));
    ask["runtime"]["path"] = json!("/no/such/runtime");
    let error = client.call("create", ask).unwrap_err();
    assert_eq!(error["kind"], "unavailable");
    assert!(error["message"].as_str().unwrap().contains("/no/such/runtime"));
}

#[test]
fn calls_that_do_not_fit_the_state_are_refused() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let timed = json!({ "container": "a", "timeoutMs": 10_000 });
    assert_eq!(client.call("start", timed.clone()).unwrap_err()["kind"], "not-found");
    pod.run(&mut client, "a", &Wish::script("sleep 100"));
    assert_eq!(client.call("start", timed.clone()).unwrap_err()["kind"], "wrong-state");
    assert_eq!(client.call("create", pod_ask(&pod)).unwrap_err()["kind"], "exists");
    assert_eq!(client.call("quit", json!({})).unwrap_err()["kind"], "wrong-state");
    client.call("delete", timed.clone()).unwrap();
    client.call("delete", timed).unwrap();
    assert!(pod.cgroup_dirs("a").values().all(|dir| !dir.exists()));
}

fn pod_ask(pod: &Pod) -> serde_json::Value {
    let bundle = pod.dir.join("a");
    json!({
        "container": "a", "bundle": bundle, "runtime": { "path": "/x", "args": [], "root": "/x", "systemdCgroup": false },
        "logPath": "", "tty": false, "stdin": false, "stdinOnce": false, "cgroup": {}, "timeoutMs": 1000,
    })
}

#[test]
fn a_rotated_log_goes_on_in_a_new_file_and_not_after_the_exit() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script("n=0; while sleep 0.02; do n=$((n+1)); echo line $n; done"));
    eventually("the first lines are there", || pod.log("a").lines().count() > 2);
    let old = pod.dir.join("a.log.old");
    fs::rename(pod.log_path("a"), &old).unwrap();
    client.call("reopenLog", json!({ "container": "a" })).unwrap();
    assert!(pod.log_path("a").exists());
    let size = fs::metadata(&old).unwrap().len();
    eventually("the new file grows", || pod.log("a").lines().count() > 2);
    assert_eq!(fs::metadata(&old).unwrap().len(), size);

    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 0 })).unwrap();
    client.exit("a");
    fs::remove_file(pod.log_path("a")).unwrap();
    assert_eq!(client.call("reopenLog", json!({ "container": "a" })).unwrap_err()["kind"], "wrong-state");
    assert!(!pod.log_path("a").exists());
}

#[test]
fn a_prompt_without_a_line_end_reaches_the_log_while_it_waits() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script("printf 'name? '; sleep 100"));
    eventually("the prompt is logged", || pod.log("a") == "stdout P name? \n");
}

#[test]
fn much_output_is_logged_to_the_last_byte() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let script = "i=0; while [ $i -lt 20000 ]; do echo line $i of a long log; i=$((i+1)); done";
    pod.run(&mut client, "a", &Wish::script(script));
    client.exit("a");
    let log = pod.log("a");
    assert_eq!(log.lines().count(), 20_000);
    assert!(log.ends_with("stdout F line 19999 of a long log\n"));
}

#[test]
fn an_update_changes_the_limits_of_a_running_container() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script("sleep 100"));
    let resources = json!({ "pids": { "limit": 123 } });
    client.call("update", json!({ "container": "a", "resources": resources, "timeoutMs": 10_000 })).unwrap();
    let dirs = pod.cgroup_dirs("a");
    let dir = dirs.get("pids").or(dirs.get("unified")).unwrap();
    // crun divides systemd's scopes and limits the part that the container is in.
    let part = dir.join("container");
    let dir = if part.exists() { &part } else { dir };
    assert_eq!(fs::read_to_string(dir.join("pids.max")).unwrap().trim(), "123");
}

#[test]
fn a_delete_during_a_create_ends_it() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let create = client.ask("create", pod.create_ask("a", &Wish::script("sleep 100")));
    let delete = client.ask("delete", json!({ "container": "a", "timeoutMs": 10_000 }));
    assert!(client.answer(create).is_err());
    client.answer(delete).unwrap();
    assert!(pod.cgroup_dirs("a").values().all(|dir| !dir.exists()));
    client.call("quit", json!({})).unwrap();
}
