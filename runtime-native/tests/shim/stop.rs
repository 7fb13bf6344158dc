//! Stop: signal, grace, SIGKILL; OOM; what shares no pid namespace.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::pod::{self, Pod, Wish, eventually};

const STUBBORN: &str = "trap 'echo ignored' TERM; echo ready; while :; do sleep 0.05; done";

#[test]
fn the_stop_signal_ends_a_process_within_its_grace() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script("trap 'exit 3' USR1; echo ready; while :; do sleep 0.05; done"));
    eventually("it is ready", || pod.log("a").contains("ready"));
    client.call("stop", json!({ "container": "a", "signal": 10, "graceMs": 60_000 })).unwrap();
    assert_eq!(client.exit("a")["exitCode"], 3);
    client.call("stop", json!({ "container": "a", "signal": 10, "graceMs": 60_000 })).unwrap();
}

#[test]
fn a_process_that_ignores_the_signal_is_killed_after_its_grace() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script(STUBBORN));
    eventually("it is ready", || pod.log("a").contains("ready"));
    let begun = Instant::now();
    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 300 })).unwrap();
    let exit = client.exit("a");
    assert_eq!((&exit["exitCode"], &exit["signal"], &exit["oomKilled"]), (&json!(137), &json!(9), &json!(false)));
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert!(pod.log("a").contains("ignored"));
}

#[test]
fn a_second_stop_shortens_the_grace_and_never_lengthens_it() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script(STUBBORN));
    eventually("it is ready", || pod.log("a").contains("ready"));
    let begun = Instant::now();
    for grace_ms in [600_000, 200, 600_000] {
        client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": grace_ms })).unwrap();
    }
    assert_eq!(client.exit("a")["signal"], 9);
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_container_that_was_never_started_is_stopped_at_once() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    client.call("create", pod.create_ask("a", &Wish::script("sleep 100"))).unwrap();
    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 60_000 })).unwrap();
    assert_eq!(client.exit("a")["signal"], 9);
}

#[test]
fn a_process_killed_for_want_of_memory_is_told_as_such() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let wish = Wish { memory_bytes: 16 << 20, ..Wish::script("exec tail /dev/zero") };
    let ask = pod.create_ask("a", &wish);
    client.call("create", ask).unwrap();
    // /dev is a tmpfs of the container; the runtime puts /dev/zero there.
    client.call("start", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();
    assert_eq!(client.event()["event"], "oom");
    let exit = client.event();
    assert_eq!((&exit["exitCode"], &exit["oomKilled"]), (&json!(137), &json!(true)));
}

#[test]
fn what_a_container_leaves_in_a_shared_pid_namespace_ends_with_it() {
    let pod = pod::start(json!({ "pid": "pod" })).unwrap();
    let mut client = pod.connect(0);
    assert_eq!(client.hello["pausePid"], pod.pause_pid);
    let comm = format!("/proc/{}/comm", pod.pause_pid);
    eventually("PID 1 has its name", || fs::read_to_string(&comm).unwrap() == "berth-pause\n");
    let script = "setsid sleep 1000 & ps; exit 4";
    pod.run(&mut client, "a", &Wish { shared_pid: true, ..Wish::script(script) });
    pod.run(&mut client, "b", &Wish { shared_pid: true, ..Wish::script("sleep 1000") });
    assert_eq!(client.exit("a")["exitCode"], 4);
    assert!(pod.log("a").contains("berth-pause"));
    let procs = pod.cgroup_dirs("a").into_values().next().unwrap().join("cgroup.procs");
    eventually("nothing is left of it", || fs::read_to_string(&procs).unwrap_or_default().is_empty());
    for id in ["a", "b"] {
        client.call("delete", json!({ "container": id, "timeoutMs": 10_000 })).unwrap();
    }
    client.call("quit", json!({})).unwrap();
    eventually("PID 1 ends with the shim", || !fs::exists(format!("/proc/{}/ns/pid", pod.pause_pid)).unwrap());
}
