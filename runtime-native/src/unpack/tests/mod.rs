//! Layers made by hand, unpacked for real: as root, with real devices, attributes and connections.

pub mod archive;
mod hostile;
mod mutation;
mod network;
mod odd;
mod refusal;
pub mod scratch;
mod section;
mod secure;
mod server;
mod settle;
mod sources;
pub mod transfer;
mod tree;
