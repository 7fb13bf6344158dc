//! What the engine starts ends with it: nobody else would wait for it, and the next engine undoes what it was about.
#![allow(unsafe_code)]

use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the kernel kill the program when the thread that started it, which waits for it, dies.
pub fn ends_with_us(command: &mut Command) {
    let us = rustix::process::getpid();
    // SAFETY: prctl and getppid are async-signal-safe, and nothing allocates.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            if getppid() == Some(us) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
        });
    }
}
