//! `berth-native shim`: the parent of a pod's containers. One epoll loop and a thread that writes logs, no growth, no
//! panic: it holds their namespaces, stdio, exits and logs, and calls the OCI runtime. Reading order: `start`, `shim`,
//! `calls`, then one file for each call.

mod answers;
mod attach;
mod calls;
mod cgroup;
mod clock;
mod connection;
mod console;
mod container;
mod container_kept;
mod create;
mod delete;
mod descriptors;
mod dial;
mod exec;
mod exec_end;
mod exit;
mod exits;
mod guest;
mod heap;
mod inherited;
mod kept;
mod log;
mod log_files;
mod log_place;
mod loopback;
pub(crate) mod messages;
mod namespaces;
pub(crate) mod packet;
mod pid_one;
mod poll;
mod process_limit;
mod protocol;
mod records;
mod reopen;
mod resume;
mod runtime;
#[allow(clippy::module_inception)]
mod shim;
mod signals;
mod spawn;
mod start;
mod stdio;
mod stop;
mod streams;
mod sysctl;
mod tree;
mod tunnel;
mod upgrade;
mod verbs;
mod writer;

use std::process::ExitCode;

use messages::Ready;
use rustix::fs::Mode;

/// The shim's program: a new pod, or with `resume` and `rehearse` the part of an upgrade that is the next version's.
pub fn main(words: &[String]) -> ExitCode {
    heap::keep_small();
    let _ = rustix::thread::set_name(c"berth-shim");
    rustix::process::umask(Mode::from_raw_mode(0o027));
    match words.split_first() {
        Some((word, words)) if word == "resume" => resume::main(words),
        Some((word, _)) if word == "rehearse" => resume::rehearse(),
        _ => begin(),
    }
}

/// Starts the pod described on descriptor 3, says so on descriptor 4, serves until it is told to quit.
fn begin() -> ExitCode {
    inherited::close_on_exec();
    match start() {
        Ok(shim) => {
            let pid = std::process::id() as i32;
            let user_namespace = shim.pod.user_namespace_path.clone();
            inherited::tell(&Ok(Ready { pid, pause_pid: shim.pod.pause_pid, user_namespace }));
            shim.serve();
            ExitCode::SUCCESS
        }
        Err(error) => {
            inherited::tell(&Err(error));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<shim::Shim, crate::frame::FrameError> {
    let pod = inherited::read_pod()?;
    let signals = signals::block_all().map_err(start::failed("block signals"))?;
    let poll = poll::Poll::new().map_err(start::failed("make an epoll set"))?;
    let writer = writer::Writer::start().map_err(start::failed("start the log writer"))?;
    Ok(shim::Shim::new(start::start(&pod)?, poll, signals, writer))
}
