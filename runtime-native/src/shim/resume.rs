//! The other side of an upgrade: a shim that begins with the state of the version before, in the same process.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::connection::Connection;
use super::container::Container;
use super::descriptors::{Descriptors, adopt, are_open, become_program};
use super::exec::Exec;
use super::exits::Events;
use super::kept::{self, KeptShim, KeptWatch};
use super::messages::UpgradeReply;
use super::poll::Poll;
use super::runtime::Run;
use super::shim::{Caller, Shim, Then};
use super::start::{Pod, failed};
use super::tunnel::Tunnel;
use super::writer::Writer;
use super::{protocol, signals};
use crate::frame::FrameError;

/// The exit code of a rehearsal that went well; 0 would be that of any program.
pub const CAN_TAKE_OVER: u8 = 84;

/// Reads the state on standard input and does nothing more: `CAN_TAKE_OVER` says that `main` could go on with it.
pub fn rehearse() -> ExitCode {
    match read(&mut std::io::stdin()) {
        Ok(_) => CAN_TAKE_OVER.into(),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Goes on where the version before has left off. `words` are the number of the state's descriptor, and either the
/// number of that version's program or `failed` and why the next version, which was to take over, could not.
pub fn main(words: &[String]) -> ExitCode {
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).filter(|number| are_open(&[*number]));
    let Some(state) = number(0) else { return ExitCode::FAILURE };
    let before = number(1).map(adopt);
    let mut state = File::from(adopt(state));
    let parts = read(&mut state).and_then(|kept| Ok((prepare(&kept)?, kept)));
    match (parts, before) {
        (Ok(((poll, signals, writer), kept)), before) => {
            drop((state, before));
            let refusal = words.get(1).filter(|word| *word == "failed").and(words.get(2));
            go_on(take_over(kept, poll, signals, writer), refusal);
            ExitCode::SUCCESS
        }
        (Err(error), Some(before)) => give_back(&before, &mut state, &error),
        (Err(_), None) => ExitCode::FAILURE,
    }
}

fn read(from: &mut impl Read) -> Result<KeptShim, FrameError> {
    let mut text = Vec::new();
    from.read_to_end(&mut text).map_err(failed("read a shim's state"))?;
    kept::read(&text)
}

/// Makes what exec does not keep; all that can fail, before any descriptor is taken over.
fn prepare(kept: &KeptShim) -> Result<(Poll, OwnedFd, Writer), FrameError> {
    if !are_open(&kept.descriptors) {
        return Err(FrameError::new("internal", "a descriptor of the version before is missing"));
    }
    let signals = signals::block_all().map_err(failed("block signals"))?;
    let poll = Poll::new().map_err(failed("make an epoll set"))?;
    let writer = start_writer(kept).map_err(failed("start the log writer"))?;
    Ok((poll, signals, writer))
}

/// The thread keeps the namespaces of its start: it must not hold those of the pod, which the shim leaves before its end.
fn start_writer(kept: &KeptShim) -> std::io::Result<Writer> {
    let open = |path: &str| rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let own = open("/proc/self/ns/net")?;
    let host = open(&format!("/proc/self/fd/{}", kept.pod.host_network))?;
    let enter = |network: &OwnedFd| move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network));
    enter(&host)?;
    let writer = Writer::start();
    enter(&own)?;
    writer
}

/// From here on the descriptors are ours, and there is no way back.
fn take_over(kept: KeptShim, poll: Poll, signals: OwnedFd, writer: Writer) -> (Shim, Caller) {
    writer.resume(kept.log_files);
    let mut shim = Shim::new(Pod::resume(kept.pod), poll, signals, writer);
    let (poll, writer) = (shim.poll.clone(), shim.writer.clone());
    shim.connections = kept.connections.into_iter().map(|it| Connection::resume(it, &poll)).collect();
    shim.containers = kept.containers.into_iter().map(|it| Container::resume(it, &poll, &writer)).collect();
    shim.execs = kept.execs.into_iter().map(|it| Exec::resume(it, &poll)).collect();
    shim.tunnels = kept.tunnels.into_iter().map(|it| Tunnel::resume(it, &poll)).collect();
    let watch = |it: KeptWatch| Run::resume(it.pid, it.began_at_ns, Then::Watch { container: it.container });
    shim.runs = kept.watches.into_iter().map(watch).collect();
    shim.events = Events::resume(kept.last_event, kept.events);
    shim.strangers = kept.strangers;
    shim.last_serial = kept.last_serial;
    shim.left_network = kept.left_network;
    (shim, kept.caller)
}

/// Answers who has asked for the upgrade, and takes up what has happened since.
fn go_on((mut shim, caller): (Shim, Caller), refusal: Option<&String>) {
    match refusal {
        None => shim.reply(caller, &UpgradeReply { version: protocol::RELEASE.to_owned(), speaks: protocol::SPOKEN }),
        Some(why) => shim.refuse(caller, &FrameError::new("unsupported", format!("become the next version: {why}"))),
    }
    shim.reap();
    shim.writer_ready();
    let connections: Vec<u32> = shim.connections.iter().map(|it| it.serial).collect();
    connections.into_iter().for_each(|serial| shim.take_input(serial));
    shim.serve();
}

/// Becomes the version before again; it reads its own state.
fn give_back(before: &OwnedFd, state: &mut File, why: &FrameError) -> ExitCode {
    let mut descriptors = Descriptors::default();
    let number = descriptors.keep(&*state).to_string();
    if state.rewind().is_ok() {
        become_program(before, &["berth-shim", "shim", "resume", &number, "failed", &why.message], &descriptors);
    }
    ExitCode::FAILURE
}
