use crate::client::{Engine, Scratch, cgroup, is_mounted};
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
