//! `berth-native`: one binary, three lives. `engine` is berthd's stateless hands, `shim` is a pod's parent,
//! `pause` is PID 1 of a pod with a shared pid namespace.
#![deny(unsafe_code)]

mod components;
mod engine;
#[cfg(test)]
mod examples;
mod frame;
#[cfg(test)]
mod fuzz;
mod mount_setattr;
mod pack;
mod pause;
mod selinux;
mod shim;
mod unpack;
mod used_up;
mod user_namespace;

use std::process::ExitCode;

fn main() -> ExitCode {
    let verb = std::env::args().nth(1).unwrap_or_default();
    match verb.as_str() {
        "engine" => engine::main(),
        "shim" => shim::main(&std::env::args().skip(2).collect::<Vec<_>>()),
        "pause" => pause::main(),
        "true" => ExitCode::SUCCESS,
        "version" => {
            println!("berth-native {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: berth-native engine|shim|pause|version (started by berthd, not by hand)");
            ExitCode::from(2)
        }
    }
}
