//! Stories of a shim with a real OCI runtime, real namespaces and real cgroups. They need root.

mod pod;

use pod::{Pod, Wish};
use serde_json::json;

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
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(pod.dir.join("exits/a")).unwrap()).unwrap();
    assert_eq!(file["exitCode"], 7);
    client.call("delete", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();
    client.call("quit", json!({})).unwrap();
}
