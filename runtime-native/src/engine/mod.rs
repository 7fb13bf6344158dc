//! `berth-native engine`: the stateless hands of berthd. One thread reads calls from descriptor 3, lanes of threads
//! do them, replies leave in turn. Its end takes nothing along: shims, mounts and namespaces stay.

mod call;
mod cgroup;
mod cgroup_remove;
mod child;
mod commit;
mod dirs;
mod dispatch;
mod end;
mod errors;
mod fetch;
mod figures;
mod heap;
mod idmap;
mod inherited;
mod inside;
mod lanes;
mod launch;
mod measure;
mod memory_limit;
pub(crate) mod messages;
mod mount;
mod notify;
mod open_groups;
mod outbox;
mod overlay;
mod readout;
mod relabel;
mod release;
mod rootfs;
mod run;
mod sample;
mod sources;
mod spawn;
mod state;
mod state_lock;
mod tree;
mod usage;
mod verify;
mod volume;
mod walk;

use crate::frame;
use std::io::Read;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// At the end, work in flight gets this long to kill what it runs and undo what it made.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// What all calls share.
pub struct Engine {
    pub outbox: outbox::Outbox,
    pub calls: call::Calls,
    pub lanes: lanes::Lanes,
    pub state_lock: state_lock::StateLock,
    pub open_groups: open_groups::OpenGroups,
    pub given_sources: fetch::GivenSources,
    memory_limit: memory_limit::MemoryLimit,
    /// The file this process was started from; shims are started from it too.
    pub exe: std::path::PathBuf,
}

/// Serves berthd on descriptor 3 until it closes.
pub fn main() -> ExitCode {
    inherited::settle();
    let served = inherited::connection().and_then(|stream| {
        let outbox = outbox::Outbox::new(stream.try_clone()?);
        let exe = std::fs::read_link("/proc/self/exe")?;
        let engine = Arc::new(Engine {
            outbox,
            calls: call::Calls::default(),
            lanes: lanes::Lanes::new(),
            open_groups: open_groups::OpenGroups::new(),
            given_sources: fetch::GivenSources::default(),
            memory_limit: memory_limit::MemoryLimit::now(),
            state_lock: state_lock::StateLock::default(),
            exe,
        });
        let served = serve(&engine, stream);
        // Whoever asked for what runs now is gone.
        engine.calls.cancel_all(LAST_WAIT);
        served
    });
    match served {
        Ok(End::Told) => ExitCode::SUCCESS,
        Ok(End::Starved) => ExitCode::from(memory_limit::EXIT_CODE),
        Err(error) => {
            eprintln!("berth-engine: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why no more calls are read.
enum End {
    /// The stream has ended.
    Told,
    /// What is asked next would be done with less memory than this process was started with.
    Starved,
}

/// Reads calls to the end of the stream.
fn serve(engine: &Arc<Engine>, mut stream: UnixStream) -> std::io::Result<End> {
    let mut pending = Vec::new();
    let mut chunk = vec![0; 16 << 10];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return Ok(End::Told);
        }
        pending.extend_from_slice(&chunk[..count]);
        while let Some(body) = frame::take(&mut pending).map_err(|error| std::io::Error::other(error.message))? {
            if engine.memory_limit.was_lowered() {
                // What ends with this process was not cancelled by anyone: berthd tells it from the exit code.
                stream.shutdown(Shutdown::Both)?;
                return Ok(End::Starved);
            }
            dispatch::dispatch(engine, body);
        }
        pending.shrink_to(chunk.len());
    }
}
