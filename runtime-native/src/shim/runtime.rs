//! The seam to the OCI runtime: one verb is one run of its command line, outside the pod's network namespace, ended
//! by SIGCHLD or its deadline.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::messages::OciRuntime;
use super::process_limit::ProcessLimits;
use super::spawn::{self, Program};
use super::{clock, tree};
use crate::frame::FrameError;
use crate::used_up::{kind_of, said_in};

/// How a process ended, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// 128 + `signal` when one killed it.
    pub code: i32,
    /// 0 when it ended by itself.
    pub signal: i32,
    pub at_ns: u64,
}

impl Ended {
    /// The end of a process nobody saw end.
    pub fn unseen() -> Self {
        Self { code: 255, signal: 0, at_ns: clock::now_ns() }
    }

    pub fn now(status: rustix::process::WaitStatus) -> Self {
        let signal = status.terminating_signal().unwrap_or(0);
        let code = if signal > 0 { 128 + signal } else { status.exit_status().unwrap_or(255) };
        Self { code, signal, at_ns: clock::now_ns() }
    }
}

/// One verb to run.
pub struct Verb<'a> {
    pub runtime: &'a OciRuntime,
    pub verb: &'static str,
    /// What follows the verb, the container's id last.
    pub words: &'a [&'a str],
    /// File for the runtime's own log.
    pub log: String,
    pub stdio: [BorrowedFd<'a>; 3],
    pub network: BorrowedFd<'a>,
    pub limits: ProcessLimits,
    /// 0 for none.
    pub timeout_ms: u64,
}

/// A verb that runs; `then` says what waits for it.
pub struct Run<Then> {
    pub pid: i32,
    pub then: Then,
    pub began_at_ns: u64,
    doing: String,
    log: String,
    log_from: u64,
    limits: ProcessLimits,
    deadline: Option<Instant>,
    killed: Option<Killed>,
}

#[derive(Clone, Copy)]
enum Killed {
    Expired,
    Aborted,
}

/// Starts a verb. `unavailable` when the runtime cannot be executed, `exhausted` when no process can be made.
pub fn run<Then>(verb: Verb, then: Then) -> Result<Run<Then>, FrameError> {
    let runtime = verb.runtime;
    let doing = format!("{} {} {}", runtime.path, verb.verb, verb.words.last().unwrap_or(&""));
    let argv = argv(&verb).map_err(|error| FrameError::new("unavailable", format!("{doing}: {error}")))?;
    let path = argv.first().cloned().unwrap_or_default();
    let network = Some(verb.network.as_fd());
    let program = Program { path: &path, argv: &argv, stdio: verb.stdio, network };
    let log_from = std::fs::metadata(&verb.log).map_or(0, |file| file.len());
    let began_at_ns = clock::now_ns();
    let pid = spawn::spawn(&program).map_err(|error| verb.limits.explain(not_begun(&doing, &error)))?;
    let deadline = (verb.timeout_ms > 0).then(|| Instant::now() + Duration::from_millis(verb.timeout_ms));
    let Verb { log, limits, .. } = verb;
    Ok(Run { pid, then, began_at_ns, doing, log, log_from, limits, deadline, killed: None })
}

/// The runtime is not there or cannot be executed, or there is nothing left to run it with.
fn not_begun(doing: &str, error: &std::io::Error) -> FrameError {
    let kind = if kind_of(error) == "exhausted" { "exhausted" } else { "unavailable" };
    FrameError::new(kind, format!("{doing}: {error}"))
}

fn argv(verb: &Verb) -> Result<Vec<CString>, std::ffi::NulError> {
    let runtime = verb.runtime;
    let systemd: &[&str] = if runtime.systemd_cgroup { &["--systemd-cgroup"] } else { &[] };
    let before = std::iter::once(runtime.path.as_str()).chain(runtime.args.iter().map(String::as_str));
    let global = ["--root", &runtime.root, "--log", &verb.log, "--log-format", "json"];
    let words =
        before.chain(systemd.iter().copied()).chain(global).chain([verb.verb]).chain(verb.words.iter().copied());
    words.map(CString::new).collect()
}

impl<Then> Run<Then> {
    /// One that a version before has started, and whose outcome does not matter.
    pub fn resume(pid: i32, began_at_ns: u64, then: Then) -> Self {
        let (doing, log) = (String::new(), String::new());
        let limits = ProcessLimits::default();
        Self { pid, then, began_at_ns, doing, log, log_from: 0, limits, deadline: None, killed: None }
    }

    /// When `expire` is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Kills the runtime with all it started; its end is seen as any other.
    pub fn expire(&mut self) {
        self.kill(Killed::Expired);
    }

    /// As `expire`, because what it was for is no more wanted.
    pub fn abort(&mut self) {
        self.kill(Killed::Aborted);
    }

    fn kill(&mut self, why: Killed) {
        self.deadline = None;
        self.killed.get_or_insert(why);
        tree::kill(self.pid);
    }

    /// What came of it: nothing, or the runtime's own last word. Its stderr belongs to the container and is not read.
    pub fn outcome(&self, ended: Ended) -> Result<(), FrameError> {
        let doing = &self.doing;
        if ended.code == 0 {
            return Ok(());
        }
        match self.killed {
            Some(Killed::Expired) => {
                return Err(FrameError::new("timeout", format!("{doing}: took too long and was killed")));
            }
            Some(Killed::Aborted) => return Err(FrameError::new("cancelled", format!("{doing}: no more wanted"))),
            None => {}
        }
        let (kind, message) = match last_error(&self.log, self.log_from) {
            Some(message) => (kind(&message), message),
            None if ended.code > 128 => ("internal", format!("it was killed by signal {}", ended.code - 128)),
            None => ("internal", format!("ended with {} and no word", ended.code)),
        };
        Err(self.limits.explain(FrameError::new(kind, format!("{doing}: {message}"))))
    }
}

/// Most of a runtime's log that is read for its last error, in bytes.
const MAX_LOG_BYTES: u64 = 64 << 10;

fn last_error(path: &str, from: u64) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    // A runtime that begins its log anew has made it shorter.
    let from = if from > length { 0 } else { from };
    file.seek(SeekFrom::Start(from.max(length.saturating_sub(MAX_LOG_BYTES)))).ok()?;
    let mut text = Vec::new();
    file.take(MAX_LOG_BYTES).read_to_end(&mut text).ok()?;
    last_error_in(&text)
}

/// As runc and crun write it, or youki.
#[derive(Deserialize)]
struct LogLine {
    level: String,
    #[serde(alias = "message")]
    msg: String,
}

fn last_error_in(text: &[u8]) -> Option<String> {
    let mut lines = text.rsplit(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<LogLine>(line).ok());
    let is_error = |line: &LogLine| ["error", "fatal"].iter().any(|level| line.level.eq_ignore_ascii_case(level));
    // What follows an empty line is a stack trace.
    lines.find(is_error).map(|line| line.msg.split("\n\n").next().unwrap_or_default().to_owned())
}

fn kind(message: &str) -> &'static str {
    let says = |text: &str| message.contains(text);
    if says("container does not exist") {
        "not-found"
    } else if says("has stopped") || says("stopped container") || says("not running") {
        "wrong-state"
    } else if said_in(message) {
        "exhausted"
    } else {
        "internal"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_of_the_log_is_the_runtimes_word() {
        let log = br#"{"level":"warning","msg":"w"}
{"level":"error","msg":"first","time":"t"}
{"level":"error","msg":"cannot exec in a stopped container"}
{"level":"info","msg":"after"}
{"level":"err"#;
        let word = last_error_in(log).unwrap();
        assert_eq!(word, "cannot exec in a stopped container");
        assert_eq!(kind(&word), "wrong-state");
        assert_eq!(last_error_in(b"no json\n"), None);
        let youki = br#"{"timestamp":"t","level":"ERROR","message":"why\n\nStack backtrace:\n 0: x","target":"youki"}"#;
        assert_eq!(last_error_in(youki).unwrap(), "why");
    }

    #[test]
    fn global_options_come_before_the_verb() {
        let runtime = OciRuntime {
            path: "/r".into(),
            args: vec!["--x".into()],
            root: "/root".into(),
            systemd_cgroup: true,
            sandboxed: false,
        };
        let null = File::open("/dev/null").unwrap();
        let verb = Verb {
            runtime: &runtime,
            verb: "start",
            words: &["id"],
            log: "/l".into(),
            stdio: [null.as_fd(); 3],
            network: null.as_fd(),
            limits: ProcessLimits::default(),
            timeout_ms: 0,
        };
        let words: Vec<_> = argv(&verb).unwrap().into_iter().map(|word| word.into_string().unwrap()).collect();
        assert_eq!(words.join(" "), "/r --x --systemd-cgroup --root /root --log /l --log-format json start id");
    }
}
