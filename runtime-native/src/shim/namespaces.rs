//! The pod's own namespaces: made, entered, and set up with hostname, loopback and sysctls.

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{DumpableBehavior, Uid};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, set_thread_res_uid};

use super::messages::{Namespace, ShimPod};
use super::start::failed;
use super::{loopback, spawn, sysctl};
use crate::frame::FrameError;
use crate::user_namespace::{IdMappings, Inhabitant};

/// Enters the pod's own network, ipc and uts namespaces and sets them up; gives its user namespace, when it has one.
/// The shim stays in the host's user namespace: it starts the OCI runtime, which needs the host's powers.
pub fn enter(pod: &ShimPod) -> Result<Option<OwnedFd>, FrameError> {
    let own: Vec<Kind> = KINDS.into_iter().filter(|kind| (kind.whose)(pod) == Namespace::Pod).collect();
    let user = match &pod.user {
        None => {
            let flags = own.iter().map(|kind| kind.flag).collect();
            spawn::unshare(flags).map_err(failed("unshare the pod's namespaces"))?;
            None
        }
        Some(mappings) => Some(enter_those_of_a_user_namespace(mappings, &own)?),
    };
    set_up(pod)?;
    Ok(user)
}

/// One kind of namespace that the shim is in for its pod.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    flag: UnshareFlags,
    link: LinkNameSpaceType,
    whose: fn(&ShimPod) -> Namespace,
}

const KINDS: [Kind; 3] = [
    Kind { name: "net", flag: UnshareFlags::NEWNET, link: LinkNameSpaceType::Network, whose: |pod| pod.network },
    Kind {
        name: "ipc",
        flag: UnshareFlags::NEWIPC,
        link: LinkNameSpaceType::InterProcessCommunication,
        whose: |pod| pod.ipc,
    },
    Kind {
        name: "uts",
        flag: UnshareFlags::NEWUTS,
        link: LinkNameSpaceType::HostNameAndNISDomainName,
        whose: |pod| pod.uts,
    },
];

/// The others have to belong to the user namespace: its root may mount their file systems and set their sysctls.
fn enter_those_of_a_user_namespace(mappings: &IdMappings, own: &[Kind]) -> Result<OwnedFd, FrameError> {
    let flags = own.iter().map(|kind| kind.flag).collect();
    let inhabitant = Inhabitant::new(mappings, flags).map_err(failed("make the pod's user namespace"))?;
    for kind in own {
        let namespace =
            inhabitant.namespace(kind.name).map_err(failed(&format!("open the pod's {} namespace", kind.name)))?;
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind.link))
            .map_err(failed(&format!("enter the pod's {} namespace", kind.name)))?;
    }
    inhabitant.namespace("user").map_err(failed("open the pod's user namespace"))
}

fn set_up(pod: &ShimPod) -> Result<(), FrameError> {
    if pod.uts == Namespace::Pod && !pod.hostname.is_empty() {
        rustix::system::sethostname(pod.hostname.as_bytes())
            .map_err(|error| FrameError::new("invalid", format!("set hostname {}: {error}", pod.hostname)))?;
    }
    if pod.network == Namespace::Pod {
        loopback::up().map_err(failed("set lo up"))?;
    }
    for (name, value) in &pod.sysctls {
        let file = sysctl::file(pod, name)?;
        write_sysctl(&file, value, pod.user.as_ref().and_then(IdMappings::root))
            .map_err(|error| FrameError::new("invalid", format!("sysctl {name}={value}: {error}")))?;
    }
    Ok(())
}

/// Those of an ipc namespace may be set by the root of its user namespace alone, whatever powers others have.
fn write_sysctl(file: &str, value: &str, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    match (fs::write(file, value), owner) {
        (Err(error), Some((user, _))) if error.kind() == ErrorKind::PermissionDenied => {
            let keep = Uid::from_raw(u32::MAX);
            set_thread_res_uid(keep, Uid::from_raw(user), keep)?;
            let outcome = fs::write(file, value);
            set_thread_res_uid(keep, Uid::ROOT, keep)?;
            // A change of user makes a process undumpable, and its namespaces closed to others.
            rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable)?;
            outcome
        }
        (outcome, _) => outcome,
    }
}
