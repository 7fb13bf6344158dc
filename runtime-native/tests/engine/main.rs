//! The real engine, as root, driven over its socket: every call does what `api/engine.ts` says.

mod cgroups;
mod client;
mod connection;
mod layers;
mod notify;
mod rootfs;
mod run;
mod spawn;
mod state;
mod trees;
mod volumes;
