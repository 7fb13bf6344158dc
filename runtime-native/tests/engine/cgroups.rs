use crate::client::{Engine, cgroup, unified};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Child, Command};

/// A shell with a child in the cgroup, made in every hierarchy.
fn populate(dirs: &Value) -> Child {
    let dirs: Vec<&str> = dirs.as_object().unwrap().values().map(|dir| dir.as_str().unwrap()).collect();
    for dir in &dirs {
        std::fs::create_dir_all(dir).unwrap();
        for file in ["cpuset.cpus", "cpuset.mems"].into_iter().filter(|_| dir.contains("/cpuset/")) {
            let parent = Path::new(dir).parent().unwrap();
            let all = std::fs::read_to_string(Path::new("/sys/fs/cgroup/cpuset").join(file)).unwrap();
            std::fs::write(parent.join(file), &all).unwrap();
            std::fs::write(Path::new(dir).join(file), &all).unwrap();
        }
    }
    let enter: String = dirs.iter().map(|dir| format!("echo 0 > {dir}/cgroup.procs; ")).collect();
    let child = Command::new("/bin/sh").args(["-c", &format!("{enter} sleep 60 & sleep 60 & wait")]).spawn().unwrap();
    let first = Path::new(dirs[0]).join("cgroup.procs");
    let is_full = || std::fs::read_to_string(&first).unwrap().lines().count() >= 3;
    assert!((0..3000).any(|_| is_full() || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        false
    }));
    child
}

#[test]
fn a_cgroup_of_version_2_is_sampled_killed_and_removed() {
    let Some(dirs) = unified("second") else { return };
    let mut child = populate(&dirs);
    let mut engine = Engine::start();
    let ask = json!({ "mounts": dirs, "groups": [{ "id": "a", "path": "" }], "networks": [] });
    assert_eq!(engine.call("sample", ask).unwrap()["groups"][0]["id"], "a");
    engine.call("removeCgroup", json!({ "dirs": dirs, "timeoutMs": 5000 })).unwrap();
    assert!(!Path::new(dirs["unified"].as_str().unwrap()).exists());
    assert!(!child.wait().unwrap().success());
    remove_parents(&dirs);
}

#[test]
fn the_end_of_a_process_that_was_killed_is_told_once_it_is_reaped() {
    let dirs = cgroup("end");
    let mut child = populate(&dirs);
    let mut engine = Engine::start();
    let ask = json!({ "dirs": dirs, "timeoutMs": 5000, "pid": child.id() });
    let reaper = std::thread::spawn(move || child.wait().unwrap());
    let end = engine.call("removeCgroup", ask.clone()).unwrap()["end"].clone();
    reaper.join().unwrap();
    match keeps_exits() {
        true => assert_eq!(end, json!({ "exitCode": 137, "signal": 9 })),
        false => assert_eq!(end, Value::Null),
    }
    assert_eq!(engine.call("removeCgroup", ask).unwrap()["end"], Value::Null, "nobody has that number now");
    remove_parents(&dirs);
}

/// Linux 6.15 is the first that does.
fn keeps_exits() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap(), numbers.next().unwrap()) >= (6, 15)
}

fn remove_parents(dirs: &Value) {
    for dir in dirs.as_object().unwrap().values() {
        let _ = std::fs::remove_dir(Path::new(dir.as_str().unwrap()).parent().unwrap());
    }
}

#[test]
fn a_living_cgroup_is_sampled_then_killed_and_removed_with_its_children() {
    let dirs = cgroup("living");
    let mut child = populate(&dirs);
    let below = Path::new(dirs.as_object().unwrap().values().next().unwrap().as_str().unwrap()).join("below/deeper");
    std::fs::create_dir_all(&below).unwrap();
    let mut engine = Engine::start();
    let groups = json!([{ "id": "a", "path": "" }, { "id": "gone", "path": "/gone" }]);
    let networks = json!([{ "id": "n", "pid": std::process::id() }, { "id": "gone", "pid": 4_000_000 }]);
    let ask = json!({ "mounts": dirs, "groups": groups, "networks": networks });
    let reply = engine.call("sample", ask.clone()).unwrap();
    assert_eq!(engine.call("sample", ask.clone()).unwrap()["groups"].as_array().unwrap().len(), 1, "not read again");
    let sampled = reply["groups"].as_array().unwrap();
    assert_eq!(sampled.len(), 1);
    let number = |key: &str| sampled[0][key].as_str().unwrap().parse::<u64>().unwrap();
    assert_eq!(number("pids"), 3);
    assert!(number("cpuUsageNs") > 0 && number("memoryUsageBytes") > 0 && number("workingSetBytes") > 0);
    assert_eq!((number("memoryLimitBytes"), number("oomKills")), (0, 0));
    assert_eq!(reply["networks"].as_array().unwrap().len(), 1);

    let files = json!([["pids", "pids.current"], ["memory", "no.such.file"]]);
    let groups = json!([{ "id": "a", "path": "", "pid": child.id() }, { "id": "gone", "path": "/gone", "pid": 1 }]);
    let measured = engine.call("measure", json!({ "mounts": dirs, "groups": groups, "files": files })).unwrap();
    assert_eq!(measured["groups"].as_array().unwrap().len(), 1);
    let measured = &measured["groups"][0];
    assert_eq!((&measured["processes"], &measured["texts"]), (&json!(3), &json!(["3\n", ""])));
    assert!(measured["fileDescriptors"].as_u64().unwrap() >= 9);
    assert!(measured["limits"].as_str().unwrap().contains("Max open files"));

    let removal = json!({ "dirs": dirs, "timeoutMs": 5000 });
    engine.call("removeCgroup", removal.clone()).unwrap();
    engine.call("removeCgroup", removal).unwrap();
    assert_eq!(
        engine.call("sample", ask.clone()).unwrap()["groups"],
        json!([]),
        "what is kept open outlives its group"
    );
    dirs.as_object().unwrap().values().for_each(|dir| std::fs::create_dir(dir.as_str().unwrap()).unwrap());
    let anew = engine.call("sample", ask).unwrap();
    assert_eq!((&anew["groups"][0]["id"], &anew["groups"][0]["pids"]), (&json!("a"), &json!("0")));
    dirs.as_object().unwrap().values().for_each(|dir| std::fs::remove_dir(dir.as_str().unwrap()).unwrap());
    assert!(dirs.as_object().unwrap().values().all(|dir| !Path::new(dir.as_str().unwrap()).exists()));
    assert!(!child.wait().unwrap().success());
    remove_parents(&dirs);
}

#[test]
fn the_root_of_a_hierarchy_and_what_is_no_cgroup_are_never_touched() {
    let mut engine = Engine::start();
    for dir in ["/sys/fs/cgroup", "/sys/fs/cgroup/memory", "/tmp", "/", "", "relative"] {
        let ask = json!({ "dirs": { "memory": dir }, "timeoutMs": 100 });
        assert_eq!(engine.call("removeCgroup", ask).unwrap_err().0, "invalid", "{dir}");
    }
}
