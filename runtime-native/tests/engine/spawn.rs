use crate::client::{Engine, Scratch, cgroup, is_mounted, unified};
use serde_json::{Value, json};
use std::path::Path;

fn pod(scratch: &Scratch, name: &str) -> Value {
    json!({
        "id": "f".repeat(64), "socket": scratch.at("s"), "directory": scratch.at("pod"),
        "network": "pod", "netnsPath": scratch.at("netns/ns"), "ipc": "pod", "uts": "pod", "pid": "container",
        "hostname": "h", "sysctls": {}, "shm": { "path": scratch.at("pod/shm"), "sizeBytes": 1 << 20 },
        "cgroup": cgroup(name), "oomScoreAdj": 0,
    })
}

fn release(pod: &Value) -> Value {
    json!({
        "shm": pod["shm"]["path"], "netnsPath": pod["netnsPath"], "cgroup": pod["cgroup"],
        "directory": pod["directory"], "socket": pod["socket"],
    })
}

fn remove_parents(pod: &Value) {
    for dir in pod["cgroup"].as_object().unwrap().values() {
        let _ = std::fs::remove_dir(Path::new(dir.as_str().unwrap()).parent().unwrap());
    }
}

fn cgroups_left(pod: &Value) -> bool {
    pod["cgroup"].as_object().unwrap().values().any(|dir| Path::new(dir.as_str().unwrap()).exists())
}

#[test]
fn a_shim_that_cannot_start_leaves_nothing() {
    let scratch = Scratch::new("noshim");
    let mut pod = pod(&scratch, "noshim");
    pod["socket"] = json!(scratch.at("no/such/folder/s"));
    let (_, message) = Engine::start().call("spawnShim", json!({ "pod": pod })).unwrap_err();
    assert!(message.contains(pod["id"].as_str().unwrap()), "{message}");
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 0, "{message}");
    assert!(!is_mounted(&scratch.at("pod/shm")) && !cgroups_left(&pod));
}

/// The cgroup paths of a process, as /proc/PID/cgroup has them.
fn cgroups_of(pid: &str) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap()
}

fn stat_field(pid: &str, key: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().to_owned()
}

#[test]
fn a_shim_runs_detached_in_its_own_cgroup_outlives_the_engine_and_is_released_whole() {
    let scratch = Scratch::new("shim");
    let pod = pod(&scratch, "shim");
    let mut engine = Engine::start();
    let reply = engine.call("spawnShim", json!({ "pod": pod })).unwrap();
    let pid = reply["pid"].to_string();
    assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap().trim(), "berth-shim");
    assert_ne!(stat_field(&pid, "PPid:"), engine.child.id().to_string());
    assert_ne!(stat_field(&pid, "NSsid:"), stat_field(&engine.child.id().to_string(), "NSsid:"));
    let leaf = format!("berth-test-{}/shim", std::process::id());
    let joined = cgroups_of(&pid).lines().filter(|line| line.ends_with(&leaf)).count();
    assert_eq!(joined, pod["cgroup"].as_object().unwrap().len(), "{}", cgroups_of(&pid));
    assert!(is_mounted(&scratch.at("pod/shm")) && is_mounted(&scratch.at("netns/ns")));
    assert_eq!(engine.call("spawnShim", json!({ "pod": pod })).unwrap_err().0, "exists");

    assert!(engine.hang_up());
    let mut engine = Engine::start();
    assert!(std::os::unix::net::UnixStream::connect(scratch.at("s")).is_ok());
    engine.call("releasePod", release(&pod)).unwrap();
    engine.call("releasePod", release(&pod)).unwrap();
    assert!(!is_mounted(&scratch.at("pod/shm")) && !is_mounted(&scratch.at("netns/ns")) && !cgroups_left(&pod));
    assert_eq!(
        std::fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>(),
        ["netns"]
    );
    assert_eq!(std::fs::read_dir(scratch.at("netns")).unwrap().count(), 0);
    remove_parents(&pod);
}

#[test]
fn a_shim_enters_a_cgroup_of_version_2() {
    let Some(dirs) = unified("shim2") else { return };
    let scratch = Scratch::new("shim2");
    let mut pod = pod(&scratch, "shim2");
    pod["cgroup"] = dirs;
    let mut engine = Engine::start();
    let reply = engine.call("spawnShim", json!({ "pod": pod })).unwrap();
    let groups = cgroups_of(&reply["pid"].to_string());
    let entered = groups.lines().any(|line| line.starts_with("0::") && line.ends_with("/shim2"));
    engine.call("releasePod", release(&pod)).unwrap();
    assert!(entered, "{groups}");
    assert!(!cgroups_left(&pod));
    remove_parents(&pod);
}

#[test]
fn releasing_a_pod_that_is_gone_is_fine() {
    let scratch = Scratch::new("released");
    let pod = pod(&scratch, "released");
    Engine::start().call("releasePod", release(&pod)).unwrap();
}

#[test]
fn a_cgroup_that_cannot_be_made_is_told_and_leaves_nothing() {
    let scratch = Scratch::new("nocgroup");
    let mut pod = pod(&scratch, "nocgroup");
    pod["cgroup"] = json!({ "memory": scratch.at("no/hierarchy") });
    let (_, message) = Engine::start().call("spawnShim", json!({ "pod": pod })).unwrap_err();
    assert!(message.contains("no/hierarchy"), "{message}");
    assert_eq!(std::fs::read_dir(&scratch.0).unwrap().count(), 0);
}
