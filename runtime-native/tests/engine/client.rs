//! berthd's side of the connection, for tests: the real engine on a socketpair.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_berth-native");

/// A running engine; it ends with this.
pub struct Engine {
    pub child: Child,
    stream: Option<UnixStream>,
    next_id: u64,
    early: Vec<Value>,
}

impl Engine {
    /// Starts an engine.
    pub fn start() -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" engine 3<&0 </dev/null", BINARY]).stdin(OwnedFd::from(theirs));
        Self { child: command.spawn().unwrap(), stream: Some(ours), next_id: 1, early: Vec::new() }
    }

    /// Sends a call without waiting; its number.
    pub fn send(&mut self, call: &str, ask: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let mut message = ask;
        message["id"] = json!(id);
        message["call"] = json!(call);
        let body = serde_json::to_vec(&message).unwrap();
        let stream = self.stream.as_mut().unwrap();
        stream.write_all(&(body.len() as u32).to_le_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        id
    }

    /// Waits for the answer of a call: `Ok(reply)` or `Err((kind, message))`. Others that come first are kept.
    pub fn answer(&mut self, id: u64) -> Result<Value, (String, String)> {
        let found = self.early.iter().position(|message| message["id"] == json!(id));
        let message = match found {
            Some(at) => self.early.remove(at),
            None => loop {
                let message = self.read();
                if message["id"] == json!(id) {
                    break message;
                }
                self.early.push(message);
            },
        };
        match message.get("ok") {
            Some(ok) => Ok(ok.clone()),
            None => {
                let text = |key: &str| message["error"][key].as_str().unwrap().to_owned();
                Err((text("kind"), text("message")))
            }
        }
    }

    /// One call from ask to answer.
    pub fn call(&mut self, call: &str, ask: Value) -> Result<Value, (String, String)> {
        let id = self.send(call, ask);
        self.answer(id)
    }

    /// Closes the connection and waits for the engine's end; true when it ended well.
    pub fn hang_up(&mut self) -> bool {
        self.stream = None;
        self.child.wait().unwrap().success()
    }

    fn read(&mut self) -> Value {
        let stream = self.stream.as_mut().unwrap();
        let mut head = [0; 4];
        stream.read_exact(&mut head).unwrap();
        let mut body = vec![0; u32::from_le_bytes(head) as usize];
        stream.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stream = None;
        let _ = self.child.wait();
    }
}

/// A directory of a test's own, removed with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// An empty directory named after the test.
    pub fn new(name: &str) -> Self {
        let path = PathBuf::from(format!("/tmp/berth-engine-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// A path below, as text.
    pub fn at(&self, below: &str) -> String {
        self.0.join(below).to_str().unwrap().to_owned()
    }

    /// Makes a directory below.
    pub fn dir(&self, below: &str) -> String {
        std::fs::create_dir_all(self.0.join(below)).unwrap();
        self.at(below)
    }

    /// Writes a file below, with the directories above it.
    pub fn file(&self, below: &str, content: &str) -> String {
        let path = self.0.join(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self.at(below)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        for line in mounts.lines().rev() {
            let path = line.split(' ').nth(1).unwrap();
            if Path::new(path).starts_with(&self.0) {
                let _ = rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH);
            }
        }
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// True when something is mounted on the path.
pub fn is_mounted(path: &str) -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|line| line.split(' ').nth(1) == Some(path))
}

/// Directories of a cgroup of this test in every version 1 hierarchy, or in the one of version 2.
pub fn cgroup(name: &str) -> Value {
    let leaf = format!("berth-test-{}/{name}", std::process::id());
    let v1: serde_json::Map<String, Value> =
        ["cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids"]
            .into_iter()
            .filter(|controller| Path::new(&format!("/sys/fs/cgroup/{controller}/tasks")).exists())
            .map(|controller| (controller.to_owned(), json!(format!("/sys/fs/cgroup/{controller}/{leaf}"))))
            .collect();
    if v1.is_empty() { json!({ "unified": format!("/sys/fs/cgroup/{leaf}") }) } else { Value::Object(v1) }
}

/// The tree of version 2, which hybrid hosts have without controllers.
pub fn unified(name: &str) -> Option<Value> {
    let carries = |root: &&str| Path::new(root).join("cgroup.subtree_control").exists();
    let root = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"].into_iter().find(carries)?;
    Some(json!({ "unified": format!("{root}/berth-test-{}/{name}", std::process::id()) }))
}
