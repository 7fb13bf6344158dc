use crate::client::Engine;
use serde_json::json;

#[test]
fn the_engine_answers_hello_with_its_protocol_version_and_pid() {
    let mut engine = Engine::start();
    let reply = engine.call("hello", json!({ "protocol": 1 })).unwrap();
    assert_eq!(reply["protocol"], 1);
    assert_eq!(reply["pid"], engine.child.id());
    let comm = std::fs::read_to_string(format!("/proc/{}/comm", engine.child.id())).unwrap();
    assert_eq!(comm.trim(), "berth-engine");
}

#[test]
fn another_protocol_and_an_unknown_call_are_unsupported_and_a_malformed_one_is_invalid() {
    let mut engine = Engine::start();
    assert_eq!(engine.call("hello", json!({ "protocol": 99 })).unwrap_err().0, "unsupported");
    assert_eq!(engine.call("dance", json!({})).unwrap_err().0, "unsupported");
    assert_eq!(engine.call("statfs", json!({})).unwrap_err().0, "invalid");
}

#[test]
fn the_engine_ends_well_when_its_connection_closes_and_takes_what_it_runs_along() {
    let mut engine = Engine::start();
    let args = ["-c", "sleep 60; true"];
    let ask = json!({ "lane": "runtime", "path": "/bin/sh", "args": args, "env": {}, "stdin": "", "timeoutMs": 60000 });
    engine.send("run", ask);
    let child = loop {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", engine.child.id())).unwrap();
        let children =
            tasks.flatten().map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
        if let Some(pid) = children.collect::<String>().split_whitespace().next() {
            break pid.to_owned();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(engine.hang_up());
    let status = || std::fs::read_to_string(format!("/proc/{child}/status")).unwrap_or_default();
    let gone = (0..3000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        status().is_empty() || status().contains("State:\tZ")
    });
    assert!(gone, "{}", status());
}

#[test]
fn an_idle_engine_takes_little_memory_and_one_thread() {
    let mut engine = Engine::start();
    engine.call("hello", json!({ "protocol": 1 })).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", engine.child.id())).unwrap();
    let field = |key: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(field("Threads:"), 1);
    assert!(field("RssAnon:") < 2048, "{status}");
}
