//! Layers made by hand, unpacked for real: as root, with real devices, attributes and connections.

mod archive;
mod hostile;
mod mutation;
mod network;
mod odd;
mod refusal;
mod scratch;
mod secure;
mod server;
mod settle;
mod sources;
mod transfer;
mod tree;
