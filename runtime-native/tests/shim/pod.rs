//! A real pod for the tests: the real shim, a real OCI runtime, containers of one busybox. Nothing is left of it
//! when it is dropped.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::Client;

static PODS: AtomicU32 = AtomicU32::new(0);

pub struct Pod {
    pub dir: PathBuf,
    pub pause_pid: i32,
    pub shim: Child,
    cgroup: String,
    netns: PathBuf,
}

/// What differs between the containers of the tests.
pub struct Wish<'a> {
    pub script: &'a str,
    pub tty: bool,
    pub stdin: bool,
    pub memory_bytes: u64,
    /// Joins the pod's own pid namespace.
    pub shared_pid: bool,
}

impl<'a> Wish<'a> {
    pub fn script(script: &'a str) -> Self {
        Self { script, tty: false, stdin: false, memory_bytes: 0, shared_pid: false }
    }
}

/// Starts a shim; `changes` are laid over a pod with namespaces of its own.
pub fn start(changes: Value) -> Result<Pod, Value> {
    let number = PODS.fetch_add(1, Ordering::Relaxed);
    let name = format!("berth-test-{}-{number}", std::process::id());
    let dir = std::env::temp_dir().join(&name);
    fs::create_dir_all(&dir).unwrap();
    let netns = dir.join("netns");
    let mut pod = json!({
        "id": "p", "socket": dir.join("s"), "directory": dir, "network": "pod", "netnsPath": netns, "ipc": "pod",
        "uts": "pod", "pid": "container", "hostname": "host-of-the-pod", "sysctls": {}, "shm": null, "cgroup": {},
        "oomScoreAdj": -999,
    });
    pod.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    fs::write(dir.join("pod.json"), pod.to_string()).unwrap();
    let (shim, ready) = launch(&dir);
    let pause_pid = ready["pausePid"].as_i64().unwrap_or(0) as i32;
    let pod = Pod { dir, pause_pid, shim, cgroup: name, netns };
    match ready.get("error") {
        Some(error) => Err(error.clone()),
        None => Ok(pod),
    }
}

/// Starts a shim on what `pod.json` in the directory says, and waits for its word.
pub fn launch(dir: &Path) -> (Child, Value) {
    let mut shim = Command::new("sh")
        .args(["-c", r#"exec setsid "$0" shim 3<"$1" 4>&1 >/dev/null </dev/null"#, env!("CARGO_BIN_EXE_berth-native")])
        .arg(dir.join("pod.json"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    shim.stdout.take().unwrap().read_to_string(&mut line).unwrap();
    (shim, serde_json::from_str(&line).unwrap())
}

impl Pod {
    pub fn new() -> Self {
        start(json!({})).unwrap()
    }

    pub fn pid(&self) -> i32 {
        self.shim.id() as i32
    }

    /// A connection that has said hello and gets events after `since`.
    pub fn connect(&self, since: i64) -> Client {
        let mut client = Client::new(&self.dir.join("s"));
        client.hello = client.call("hello", json!({ "protocol": 1, "sinceSeq": since })).unwrap();
        client
    }

    pub fn log_path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}.log"))
    }

    /// The log without its times.
    pub fn log(&self, id: &str) -> String {
        let text = fs::read_to_string(self.log_path(id)).unwrap();
        text.split_inclusive('\n').map(|line| &line[31..]).collect()
    }

    pub fn cgroup_dirs(&self, id: &str) -> BTreeMap<String, PathBuf> {
        if with_systemd() {
            let scope = format!("/sys/fs/cgroup/system.slice/crio-{}-{id}.scope", self.cgroup);
            return BTreeMap::from([("unified".to_owned(), scope.into())]);
        }
        let below = |root: PathBuf| root.join(&self.cgroup).join(format!("crio-{id}"));
        if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
            return BTreeMap::from([("unified".to_owned(), below("/sys/fs/cgroup".into()))]);
        }
        let known = ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd"];
        known.map(|key| (key.to_owned(), below(Path::new("/sys/fs/cgroup").join(key)))).into()
    }

    /// The ask of a create, its bundle written.
    pub fn create_ask(&self, id: &str, wish: &Wish) -> Value {
        let bundle = self.dir.join(id);
        let rootfs = bundle.join("rootfs");
        for folder in ["bin", "proc", "dev", "tmp", "sys"] {
            fs::create_dir_all(rootfs.join(folder)).unwrap();
        }
        fs::copy("/bin/busybox", rootfs.join("bin/busybox")).unwrap();
        fs::set_permissions(rootfs.join("bin/busybox"), fs::Permissions::from_mode(0o755)).unwrap();
        for applet in ["sh", "sleep", "cat", "setsid", "dd", "tail", "stty", "ip", "hostname", "ps", "kill", "head"] {
            std::os::unix::fs::symlink("busybox", rootfs.join("bin").join(applet)).unwrap();
        }
        fs::write(bundle.join("config.json"), self.config(id, wish).to_string()).unwrap();
        json!({
            "container": id, "bundle": bundle, "runtime": self.runtime(), "logPath": self.log_path(id),
            "tty": wish.tty, "stdin": wish.stdin, "stdinOnce": wish.stdin, "cgroup": self.cgroup_dirs(id),
            "timeoutMs": 20_000,
        })
    }

    /// Creates and starts a container.
    pub fn run(&self, client: &mut Client, id: &str, wish: &Wish) -> i32 {
        let pid = client.call("create", self.create_ask(id, wish)).unwrap()["pid"].as_i64().unwrap();
        client.call("start", json!({ "container": id, "timeoutMs": 10_000 })).unwrap();
        pid as i32
    }

    fn runtime(&self) -> Value {
        let own = std::env::var("BERTH_TEST_RUNTIME").unwrap_or_else(|_| "/usr/sbin/runc".to_owned());
        json!({ "path": own, "args": [], "root": self.dir.join("runtime"), "systemdCgroup": with_systemd() })
    }

    fn config(&self, id: &str, wish: &Wish) -> Value {
        let own = format!("/proc/{}/ns", self.pid());
        let cgroup = match with_systemd() {
            true => format!("system.slice:crio:{}-{id}", self.cgroup),
            false => format!("/{}/crio-{id}", self.cgroup),
        };
        let pid_namespace = match wish.shared_pid {
            true => json!({ "type": "pid", "path": format!("/proc/{}/ns/pid", self.pause_pid) }),
            false => json!({ "type": "pid" }),
        };
        let memory = if wish.memory_bytes > 0 {
            json!({ "limit": wish.memory_bytes, "swap": wish.memory_bytes })
        } else {
            json!({})
        };
        json!({
            "ociVersion": "1.0.2",
            "process": process(wish.script, wish.tty),
            "root": { "path": "rootfs" },
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
                { "destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"] },
            ],
            "linux": {
                "cgroupsPath": cgroup,
                "resources": { "memory": memory },
                "namespaces": [
                    { "type": "mount" }, pid_namespace, { "type": "network", "path": self.netns },
                    { "type": "ipc", "path": format!("{own}/ipc") }, { "type": "uts", "path": format!("{own}/uts") },
                ],
            },
        })
    }
}

/// The cgroups are systemd's, for a host that has it and version 2.
fn with_systemd() -> bool {
    std::env::var("BERTH_TEST_SYSTEMD").is_ok()
}

/// A process that runs `script`, as the runtime specification writes it.
pub fn process(script: &str, tty: bool) -> Value {
    let capabilities = json!(["CAP_KILL", "CAP_SYS_ADMIN", "CAP_NET_ADMIN"]);
    json!({
        "terminal": tty, "user": { "uid": 0, "gid": 0 }, "cwd": "/", "args": ["/bin/sh", "-c", script],
        "env": ["PATH=/bin"], "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
    })
}

/// Waits until `true`, at most a minute.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if let Ok(id) = entry.file_name().into_string()
                && entry.path().join("config.json").exists()
            {
                self.remove_cgroup(&id);
            }
        }
        let _ = self.shim.kill();
        let _ = self.shim.wait();
        let _ = rustix::mount::unmount(&self.netns, rustix::mount::UnmountFlags::DETACH);
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Pod {
    fn remove_cgroup(&self, id: &str) {
        // On a hybrid host the runtime enters the empty version 2 hierarchy too.
        let hybrid = Path::new("/sys/fs/cgroup/unified").join(&self.cgroup).join(format!("crio-{id}"));
        for dir in self.cgroup_dirs(id).values().chain([&hybrid]) {
            let subs = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
            for folder in subs.chain([dir.clone()]) {
                for pid in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
                    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap());
                    pid.map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
                }
            }
            let parent = dir.parent().unwrap();
            let end = Instant::now() + Duration::from_secs(2);
            while parent.exists() && Instant::now() < end {
                for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                    let _ = fs::remove_dir(entry.path());
                }
                let _ = fs::remove_dir(dir);
                if fs::remove_dir(parent).is_err() && !dir.exists() {
                    break;
                }
            }
        }
    }
}
