//! Stories of a shim with a real OCI runtime, real namespaces and real cgroups. They need root, runc and busybox.

mod attach;
mod client;
mod dial;
mod disk;
mod events;
mod exec;
mod lifecycle;
mod pod;
mod start;
mod stop;
mod stuck;
mod upgrade;
