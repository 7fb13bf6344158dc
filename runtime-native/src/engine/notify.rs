//! notify: a word to the service manager that has started berthd (sd_notify(3)), in berthd's name.

use super::call::Call;
use super::errors::failed;
use super::messages::{Done, NotifyAsk};
use crate::frame::FrameError;
use rustix::io::{Errno, IoSlice};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    UCred, sendmsg_addr, socket_with,
};
use rustix::process::{Pid, getgid, getuid};
use std::mem::MaybeUninit;

/// Sends the state as the process `pid`, because the manager heeds only the main process of its unit; the kernel lets
/// root say so (unix(7), SCM_CREDENTIALS). Never waits: a manager that does not read is told nothing, as an error.
pub fn notify(ask: &NotifyAsk, _call: &Call) -> Result<Done, FrameError> {
    let telling = |error: Errno| failed(format!("tell {} {:?}", ask.socket, ask.state), error);
    let address = address(&ask.socket).map_err(telling)?;
    let pid = Pid::from_raw(ask.pid).ok_or_else(|| FrameError::new("invalid", "notify: pid is not positive"))?;
    let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).map_err(telling)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmCredentials(UCred { pid, uid: getuid(), gid: getgid() }));
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg_addr(&socket, &address, &[IoSlice::new(ask.state.as_bytes())], &mut control, flags).map_err(telling)?;
    Ok(Done {})
}

/// A path, or `@NAME` in the abstract namespace.
fn address(socket: &str) -> Result<SocketAddrUnix, Errno> {
    match socket.strip_prefix('@') {
        Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes()),
        None if socket.starts_with('/') => SocketAddrUnix::new(socket),
        None => Err(Errno::AFNOSUPPORT),
    }
}
