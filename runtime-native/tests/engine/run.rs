use crate::client::Engine;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn shell(script: &str, timeout_ms: u64) -> Value {
    let env = json!({ "PATH": "/usr/bin:/bin", "WORD": "exact" });
    let args = ["-c", script];
    json!({ "lane": "runtime", "path": "/bin/sh", "args": args, "env": env, "stdin": "", "timeoutMs": timeout_ms })
}

#[test]
fn a_program_gets_its_stdin_and_exactly_its_environment_and_its_output_and_status_come_back() {
    let mut engine = Engine::start();
    let mut ask = shell("cat; env | sort | grep -v ^_= >&2; exit 3", 60_000);
    ask["stdin"] = json!("x".repeat(300_000));
    let reply = engine.call("run", ask).unwrap();
    assert_eq!(reply["exitCode"], 3);
    assert_eq!(reply["signal"], 0);
    assert_eq!(reply["stdout"].as_str().unwrap().len(), 300_000);
    assert_eq!(reply["stderr"], "PATH=/usr/bin:/bin\nPWD=/\nWORD=exact\n");
}

#[test]
fn a_program_killed_by_a_signal_is_told_so() {
    let reply = Engine::start().call("run", shell("kill -TERM $$", 60_000)).unwrap();
    assert_eq!((&reply["exitCode"], &reply["signal"]), (&json!(143), &json!(15)));
}

#[test]
fn output_past_a_mebibyte_is_dropped_but_drained() {
    let reply =
        Engine::start().call("run", shell("head -c 3000000 /dev/zero | tr '\\0' a; echo end >&2", 60_000)).unwrap();
    assert_eq!(reply["stdout"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(reply["stderr"], "end\n");
}

#[test]
fn a_program_over_its_time_is_killed_with_its_children() {
    let mut engine = Engine::start();
    let begun = Instant::now();
    let (kind, message) = engine.call("run", shell("echo why >&2; sleep 1000 & sleep 1000", 2000)).unwrap_err();
    assert_eq!(kind, "timeout");
    assert!(message.contains("why"), "{message}");
    assert!(begun.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_daemon_that_keeps_the_output_open_does_not_hold_the_reply() {
    let begun = Instant::now();
    let reply = Engine::start().call("run", shell("sleep 1000 & echo hi; echo $! >&2", 100_000)).unwrap();
    assert_eq!(reply["stdout"], "hi\n");
    assert!(begun.elapsed() < Duration::from_secs(60));
    end(&reply["stderr"]);
}

#[test]
fn what_a_program_that_was_killed_has_started_ends_before_its_reply_is_known() {
    let reply = Engine::start().call("run", shell("sleep 1000 >&- 2>&- & echo $!; kill -KILL $$", 100_000)).unwrap();
    assert_eq!(reply["signal"], 9);
    let pid = reply["stdout"].as_str().unwrap().trim();
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let begun = Instant::now();
    while !state().is_empty() && !state().contains(") Z ") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{} goes on", state());
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn output_without_end_neither_outlives_the_timeout_nor_holds_the_reply() {
    let mut engine = Engine::start();
    let begun = Instant::now();
    assert_eq!(engine.call("run", shell("exec yes", 200)).unwrap_err().0, "timeout");
    let reply = engine.call("run", shell("yes & echo $! >&2", 100_000)).unwrap();
    assert_eq!(reply["exitCode"], 0);
    assert!(begun.elapsed() < Duration::from_secs(60));
    end(&reply["stderr"]);
}

/// Kills the process of that number.
fn end(pid: &Value) {
    let pid = rustix::process::Pid::from_raw(pid.as_str().unwrap().trim().parse().unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

#[test]
fn a_cancelled_run_ends_at_once_and_one_that_waits_is_answered_without_its_turn() {
    let mut engine = Engine::start();
    let running: Vec<u64> = (0..4).map(|_| engine.send("run", shell("sleep 50", 60000))).collect();
    let waiting = engine.send("run", shell("sleep 50", 60000));
    std::thread::sleep(Duration::from_millis(100));
    engine.call("cancel", json!({ "of": waiting })).unwrap();
    assert_eq!(engine.answer(waiting).unwrap_err().0, "cancelled");
    for id in running {
        engine.call("cancel", json!({ "of": id })).unwrap();
        assert_eq!(engine.answer(id).unwrap_err().0, "cancelled");
    }
}

#[test]
fn a_stuck_lane_does_not_hold_up_another() {
    let mut engine = Engine::start();
    let mut stuck = shell("sleep 50", 60000);
    stuck["lane"] = json!("cni-add");
    for _ in 0..12 {
        engine.send("run", stuck.clone());
    }
    let begun = Instant::now();
    engine.call("run", shell("true", 30_000)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_full_lane_refuses_and_names_itself() {
    let mut engine = Engine::start();
    let calls: Vec<u64> = (0..1024 + 5).map(|_| engine.send("run", shell("sleep 50", 60000))).collect();
    let (kind, message) = engine.answer(*calls.last().unwrap()).unwrap_err();
    assert_eq!(kind, "exhausted");
    assert!(message.contains("runtime"), "{message}");
}

#[test]
fn a_missing_program_is_not_found_and_an_unknown_lane_invalid() {
    let mut engine = Engine::start();
    let mut missing = shell("", 5000);
    missing["path"] = json!("/no/such/plugin");
    assert_eq!(engine.call("run", missing).unwrap_err().0, "not-found");
    let mut lane = shell("", 5000);
    lane["lane"] = json!("sky");
    assert_eq!(engine.call("run", lane).unwrap_err().0, "invalid");
}

#[test]
fn a_program_ends_with_a_killed_engine() {
    let mut engine = Engine::start();
    let file = format!("/tmp/berth-engine-{}-pid", std::process::id());
    engine.send("run", shell(&format!("echo $$ >{file}.new; mv {file}.new {file}; exec sleep 50"), 60000));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::exists(&file).unwrap() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    engine.child.kill().unwrap();
    engine.child.wait().unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    while !state().is_empty() && !state().contains(") Z ") && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(state().is_empty() || state().contains(") Z "), "{}", state());
}
