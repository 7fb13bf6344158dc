//! The start of a pod: namespaces, sysctls, pinned network, one shim for each pod, all or nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::pod::{self, Pod, Wish, eventually};

fn namespace(pid: i32, name: &str) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/{name}")).unwrap().ino()
}

#[test]
fn a_pod_has_namespaces_of_its_own_and_its_network_is_pinned() {
    let pod = Pod::new();
    let own = std::process::id() as i32;
    for name in ["net", "ipc", "uts"] {
        assert_ne!(namespace(pod.pid(), name), namespace(own, name), "{name}");
    }
    assert_eq!(fs::metadata(pod.dir.join("netns")).unwrap().ino(), namespace(pod.pid(), "net"));
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", pod.pid())).unwrap(), "berth-shim\n");
    assert_eq!(fs::metadata(pod.dir.join("s")).unwrap().permissions().mode() & 0o777, 0o600);
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script("ip addr show lo"));
    client.exit("a");
    assert!(pod.log("a").contains("127.0.0.1"));

    client.call("leaveNetwork", json!({})).unwrap();
    assert_eq!(namespace(pod.pid(), "net"), namespace(own, "net"));
}

#[test]
fn a_pod_on_the_host_has_the_hosts_namespaces() {
    let pod = pod::start(json!({ "network": "host", "netnsPath": "", "ipc": "host", "uts": "host" })).unwrap();
    for name in ["net", "ipc", "uts"] {
        assert_eq!(namespace(pod.pid(), name), namespace(std::process::id() as i32, name), "{name}");
    }
}

#[test]
fn sysctls_are_set_inside_the_pod_alone() {
    let key = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
    let host = fs::read_to_string(key).unwrap();
    let sysctls = json!({ "net.ipv4.ip_unprivileged_port_start": "77", "kernel/shm_rmid_forced": "1" });
    let pod = pod::start(json!({ "sysctls": sysctls })).unwrap();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script(&format!("cat {key} /proc/sys/kernel/shm_rmid_forced")));
    client.exit("a");
    assert_eq!(pod.log("a"), "stdout F 77\nstdout F 1\n");
    assert_eq!(fs::read_to_string(key).unwrap(), host);
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let mounts = || fs::read_to_string("/proc/self/mountinfo").unwrap().matches("berth-test-").count();
    let cases = [
        (json!({ "sysctls": { "kernel.panic": "1" } }), "invalid", "kernel.panic"),
        (json!({ "sysctls": { "net.no.such": "1" } }), "invalid", "net.no.such"),
        (json!({ "hostname": "x".repeat(65) }), "invalid", "hostname"),
        (json!({ "netnsPath": "/no/such/folder/netns" }), "internal", "/no/such/folder"),
        (json!({ "pid": "pod", "socket": "/no/such/folder/s" }), "internal", "/no/such/folder"),
    ];
    for (changes, kind, word) in cases {
        let Err(error) = pod::start(changes) else { panic!("{word}: started") };
        assert_eq!(error["kind"], kind);
        assert!(error["message"].as_str().unwrap().contains(word), "{error}");
    }
    eventually("no mount of a failed pod is left", || mounts() == 0 || pods_of_others());
}

/// Other tests of this process have pods too.
fn pods_of_others() -> bool {
    let own = format!("berth-test-{}-", std::process::id());
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let mounts = text.lines().filter(|line| line.contains(&own)).map(|line| line.split(' ').nth(4).unwrap());
    mounts.into_iter().all(|mount| fs::exists(mount.replace("/netns", "/s")).unwrap())
}

#[test]
fn a_pod_has_one_shim_and_a_new_one_only_after_its_end() {
    let mut pod = Pod::new();
    let (mut second, refusal) = pod::launch(&pod.dir);
    assert_eq!(refusal["error"]["kind"], "exists");
    second.wait().unwrap();
    pod.shim.kill().unwrap();
    pod.shim.wait().unwrap();
    rustix::mount::unmount(pod.dir.join("netns"), rustix::mount::UnmountFlags::DETACH).unwrap();

    assert!(pod.dir.join("s").exists());
    let (third, ready) = pod::launch(&pod.dir);
    pod.shim = third;
    assert_eq!(ready["pid"], pod.pid());
    pod.connect(0).call("quit", json!({})).unwrap();
}

#[test]
fn signals_to_the_shim_do_not_touch_the_pod() {
    let pod = Pod::new();
    let mut client = pod.connect(0);
    pod.run(&mut client, "a", &Wish::script("sleep 1000"));
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT, Signal::USR1, Signal::PIPE] {
        kill_process(Pid::from_raw(pod.pid()).unwrap(), signal).unwrap();
    }
    assert_eq!(pod.connect(-1).hello["containers"][0]["state"], "running");
}
