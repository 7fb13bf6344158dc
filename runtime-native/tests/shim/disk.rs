//! A log disk that hangs: everything but the log goes on.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::pod::{Pod, Wish, eventually, process};

/// A file system of its own that can be frozen; thawed and unmounted when dropped, which has to
/// come before the end of a shim that writes on it.
struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    fn new(name: &str) -> Self {
        let base = std::env::temp_dir().join(format!("berth-test-disk-{}-{name}", std::process::id()));
        let disk = Self { image: base.with_extension("img"), mount: base };
        fs::create_dir_all(&disk.mount).unwrap();
        fs::File::create(&disk.image).unwrap().set_len(16 << 20).unwrap();
        run("mkfs.ext4", &["-q", disk.image.to_str().unwrap()]);
        run("mount", &["-o", "loop", disk.image.to_str().unwrap(), disk.mount.to_str().unwrap()]);
        disk
    }

    fn freeze(&self) {
        run("fsfreeze", &["-f", self.mount.to_str().unwrap()]);
    }

    fn thaw(&self) {
        run("fsfreeze", &["-u", self.mount.to_str().unwrap()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for (program, arguments) in [("fsfreeze", &["-u"][..]), ("umount", &["-l"])] {
            let _ = Command::new(program).args(arguments).arg(&self.mount).stderr(std::process::Stdio::null()).status();
        }
        let _ = fs::remove_file(&self.image);
        let _ = fs::remove_dir(&self.mount);
    }
}

fn run(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program}");
}

#[test]
fn calls_execs_and_exits_do_not_wait_for_a_frozen_log_and_nothing_of_it_is_lost() {
    let pod = Pod::new();
    let disk = Disk::new("write");
    let mut client = pod.connect(0);
    let log = disk.mount.join("a.log");
    let mut ask = pod.create_ask("a", &Wish::script("n=0; while sleep 0.01; do n=$((n+1)); echo $n; done"));
    ask["logPath"] = json!(log);
    client.call("create", ask).unwrap();
    client.call("start", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();
    eventually("the log grows", || fs::read_to_string(&log).unwrap().lines().count() > 3);

    disk.freeze();
    std::thread::sleep(Duration::from_millis(100));
    let mut exec = pod.connect(-1);
    let process = process("echo alive", false);
    let ask =
        json!({ "container": "a", "exec": "e", "process": process, "tty": false, "stdin": false, "timeoutMs": 0 });
    exec.call("exec", ask).unwrap();
    assert_eq!(exec.stream().stdout, b"alive\n");
    client.call("stop", json!({ "container": "a", "signal": 15, "graceMs": 0 })).unwrap();
    assert_eq!(client.exit("a")["signal"], 9);
    client.call("delete", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();

    disk.thaw();
    client.call("quit", json!({})).unwrap();
    eventually("the shim has ended", || !pod.dir.join("s").exists());
    let text = fs::read_to_string(&log).unwrap();
    let numbers: Vec<usize> = text.lines().map(|line| line[40..].parse().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len()).collect::<Vec<_>>());
}

#[test]
fn a_create_whose_log_does_not_open_can_be_deleted_and_holds_up_nobody() {
    let pod = Pod::new();
    let disk = Disk::new("open");
    let mut client = pod.connect(0);
    disk.freeze();
    let mut ask = pod.create_ask("a", &Wish::script("sleep 1000"));
    ask["logPath"] = json!(disk.mount.join("a.log"));
    let create = client.ask("create", ask);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(pod.connect(-1).hello["containers"][0]["state"], "creating");
    let delete = client.ask("delete", json!({ "container": "a", "timeoutMs": 10_000 }));
    assert_eq!(client.answer(create).unwrap_err()["kind"], "cancelled");
    client.answer(delete).unwrap();
    disk.thaw();
    eventually("no log is left", || !disk.mount.join("a.log").exists());
    client.call("quit", json!({})).unwrap();
}

#[test]
fn a_log_in_a_missing_folder_fails_the_create() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    let mut ask = pod.create_ask("a", &Wish::script("true"));
    ask["logPath"] = json!("/no/such/folder/a.log");
    let error = client.call("create", ask).unwrap_err();
    assert!(error["message"].as_str().unwrap().contains("/no/such/folder/a.log"), "{error}");
    assert!(pod.cgroup_dirs("a").values().all(|dir| !dir.exists()));
    assert_eq!(pod.connect(-1).hello["containers"], json!([]));
}

#[test]
fn a_full_disk_loses_records_and_nothing_else() {
    let pod = Pod::new();
    let disk = Disk::new("full");
    let mut client = pod.connect(0);
    let filler = disk.mount.join("filler");
    let mut ask = pod.create_ask("a", &Wish { stdin: true, ..Wish::script("echo one; read x; echo two; exit 3") });
    ask["logPath"] = json!(disk.mount.join("a.log"));
    client.call("create", ask).unwrap();
    let _ = Command::new("dd").args(["if=/dev/zero", "bs=64k"]).arg(format!("of={}", filler.display())).output();
    client.call("start", json!({ "container": "a", "timeoutMs": 10_000 })).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    fs::remove_file(&filler).unwrap();
    let mut attached = pod.connect(-1);
    attached.call("attach", json!({ "container": "a", "stdin": true, "stdout": false, "stderr": false })).unwrap();
    attached.send_packet(crate::client::STDIN, b"go\n");
    assert_eq!(client.exit("a")["exitCode"], 3);
    let text = fs::read_to_string(disk.mount.join("a.log")).unwrap();
    assert!(text.ends_with("stdout F two\n"), "{text}");
}
