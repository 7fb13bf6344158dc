//! Which sysctls a pod may set: only those that one of its own namespaces holds.

use super::messages::{Namespace, ShimPod};
use crate::frame::FrameError;

/// The file below `/proc/sys` for a sysctl of this pod; `invalid` when no namespace of the pod's own holds it.
pub fn file(pod: &ShimPod, name: &str) -> Result<String, FrameError> {
    let parts = parts(name);
    if parts.iter().any(|part| part.is_empty() || part == "." || part == ".." || part.contains('/')) {
        return Err(refusal(name, "not a sysctl's name"));
    }
    let needed = match owner(&parts) {
        Owner::Net => pod.network,
        Owner::Ipc => pod.ipc,
        Owner::Nobody => return Err(refusal(name, "not held by any namespace of a pod")),
    };
    if needed == Namespace::Host {
        return Err(refusal(name, "the pod uses the host's namespace for it"));
    }
    Ok(format!("/proc/sys/{}", parts.join("/")))
}

/// As sysctl(8) reads names: whichever of `.` and `/` comes first separates, the other stands for itself,
/// with `/` in a dotted name meaning a dot of the file's name.
fn parts(name: &str) -> Vec<String> {
    match name.find(['.', '/']).map(|at| &name[at..=at]) {
        Some("/") => name.split('/').map(str::to_owned).collect(),
        _ => name.split('.').map(|part| part.replace('/', ".")).collect(),
    }
}

enum Owner {
    Net,
    Ipc,
    Nobody,
}

fn owner(parts: &[String]) -> Owner {
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["net", _, ..] => Owner::Net,
        ["fs", "mqueue", _, ..] => Owner::Ipc,
        ["kernel", "sem"] => Owner::Ipc,
        ["kernel", name] if name.starts_with("shm") || name.starts_with("msg") => Owner::Ipc,
        _ => Owner::Nobody,
    }
}

fn refusal(name: &str, why: &str) -> FrameError {
    FrameError::new("invalid", format!("sysctl {name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(network: Namespace, ipc: Namespace) -> ShimPod {
        serde_json::from_value(serde_json::json!({
            "id": "p", "socket": "", "directory": "", "network": network, "netnsPath": "", "ipc": ipc, "uts": "host",
            "pid": "container", "hostname": "", "sysctls": {}, "shm": null, "cgroup": {}, "oomScoreAdj": 0,
        }))
        .unwrap()
    }

    #[test]
    fn namespaced_names_become_files_in_both_spellings() {
        let own = pod(Namespace::Pod, Namespace::Pod);
        let cases = [
            ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            ("net/ipv4/conf/eth0.1/forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
            ("net.ipv4.conf.eth0/1.forwarding", "/proc/sys/net/ipv4/conf/eth0.1/forwarding"),
            ("kernel.shm_rmid_forced", "/proc/sys/kernel/shm_rmid_forced"),
            ("kernel/msgmax", "/proc/sys/kernel/msgmax"),
            ("kernel.sem", "/proc/sys/kernel/sem"),
            ("fs.mqueue.msg_max", "/proc/sys/fs/mqueue/msg_max"),
        ];
        for (name, path) in cases {
            assert_eq!(file(&own, name).unwrap(), path);
        }
    }

    #[test]
    fn names_of_the_host_are_refused() {
        let own = pod(Namespace::Pod, Namespace::Pod);
        let refused = [
            "kernel.hostname",
            "kernel.domainname",
            "vm.swappiness",
            "kernel.sem.x",
            "fs.file-max",
            "net",
            "",
            ".",
            "net/../kernel/panic",
            "net.//.//.x",
            "net/ipv4//x",
            "net/./x",
        ];
        for name in refused {
            assert_eq!(file(&own, name).unwrap_err().kind, "invalid", "{name}");
        }
    }

    #[test]
    fn a_name_whose_namespace_is_the_hosts_is_refused() {
        let host = pod(Namespace::Host, Namespace::Host);
        assert!(file(&host, "net.ipv4.ip_forward").is_err());
        assert!(file(&host, "kernel.shmmax").is_err());
    }
}
