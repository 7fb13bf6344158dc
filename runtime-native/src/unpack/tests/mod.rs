//! Layers made by hand, unpacked for real: as root, with real devices, attributes and connections.

pub mod archive;
mod crowd;
mod fuzz;
mod fuzz_like_gnu;
mod fuzz_tree;
mod hostile;
mod network;
mod odd;
mod ranges;
mod refusal;
pub mod scratch;
mod section;
mod secure;
mod seeds;
mod server;
mod settle;
mod sources;
mod sums;
pub mod transfer;
mod tree;
