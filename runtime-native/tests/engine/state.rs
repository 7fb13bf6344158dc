use crate::client::{Engine, Scratch, is_mounted};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

#[test]
fn the_state_directory_becomes_a_private_tmpfs_once_and_is_released_when_nothing_uses_it() {
    let scratch = Scratch::new("state");
    let dir = scratch.at("run/berth");
    let mut engine = Engine::start();
    assert_eq!(engine.call("prepareState", json!({ "dir": dir })).unwrap()["mounted"], true);
    assert_eq!(engine.call("prepareState", json!({ "dir": dir })).unwrap()["mounted"], false);
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o7777, 0o711);
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let line = mountinfo.lines().find(|line| line.contains(&format!(" {dir} "))).unwrap();
    assert!(line.contains("tmpfs") && !line.contains("shared:"), "{line}");

    let held = std::fs::File::create(format!("{dir}/file")).unwrap();
    assert_eq!(engine.call("releaseState", json!({ "dir": dir })).unwrap()["released"], false);
    drop(held);
    assert_eq!(engine.call("releaseState", json!({ "dir": dir })).unwrap()["released"], true);
    assert_eq!(engine.call("releaseState", json!({ "dir": dir })).unwrap()["released"], false);
    assert!(!is_mounted(&dir));
}

#[test]
fn what_lies_in_a_state_directory_on_a_tmpfs_already_stays_in_sight() {
    let dir = format!("/dev/shm/berth-state-{}", std::process::id());
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(format!("{dir}/socket"), "").unwrap();
    let mut engine = Engine::start();
    assert_eq!(engine.call("prepareState", json!({ "dir": dir })).unwrap()["mounted"], false);
    assert!(is_mounted(&dir));
    assert!(std::fs::exists(format!("{dir}/socket")).unwrap());
    assert_eq!(engine.call("releaseState", json!({ "dir": dir })).unwrap()["released"], true);
    assert!(!is_mounted(&dir));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn a_directory_that_is_no_mount_of_its_own_is_never_unmounted() {
    let mut engine = Engine::start();
    assert_eq!(engine.call("releaseState", json!({ "dir": "/tmp" })).unwrap()["released"], false);
    assert_eq!(engine.call("releaseState", json!({ "dir": "/no/such" })).unwrap()["released"], false);
}

#[test]
fn figures_of_a_file_system_are_given() {
    let reply = Engine::start().call("statfs", json!({ "path": "/dev/shm" })).unwrap();
    assert_eq!(reply["type"], "tmpfs");
    assert!(reply["totalBytes"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(Engine::start().call("statfs", json!({ "path": "/no/such" })).unwrap_err().0, "not-found");
}

#[test]
fn an_engine_waits_until_the_one_before_it_has_ended() {
    let scratch = Scratch::new("handover");
    let dir = scratch.at("run/berth");
    let mut old = Engine::start();
    old.call("prepareState", json!({ "dir": dir })).unwrap();
    let mut new = Engine::start();
    let waits = new.send("prepareState", json!({ "dir": dir }));
    std::thread::sleep(Duration::from_millis(300));
    let ended = Instant::now();
    assert!(old.hang_up());
    new.answer(waits).unwrap();
    assert!(ended.elapsed() < Duration::from_secs(3), "it was not the end of the other that it waited for");
    assert_eq!(new.call("releaseState", json!({ "dir": dir })).unwrap()["released"], true);
}

#[test]
fn an_engine_that_never_ends_is_waited_for_no_longer_than_that() {
    let scratch = Scratch::new("stuck");
    let dir = scratch.at("run/berth");
    let mut old = Engine::start();
    old.call("prepareState", json!({ "dir": dir })).unwrap();
    let begun = Instant::now();
    Engine::start().call("prepareState", json!({ "dir": dir })).unwrap();
    assert!((Duration::from_secs(4)..Duration::from_secs(60)).contains(&begun.elapsed()));
}
