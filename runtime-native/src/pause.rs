//! `berth-native pause`: PID 1 of a pod with a shared pid namespace. It reaps what is orphaned there and ends on
//! SIGTERM or SIGINT, or with its shim.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::process::ExitCode;

/// Runs until it is told to end.
pub fn main() -> ExitCode {
    let _ = rustix::thread::set_name(c"berth-pause");
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset fills the set before it is read.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, all.as_ptr(), std::ptr::null_mut());
    }
    loop {
        let mut signal = 0;
        // SAFETY: both pointers are to live locals.
        unsafe { libc::sigwait(all.as_ptr(), &raw mut signal) };
        match signal {
            libc::SIGTERM | libc::SIGINT => return ExitCode::SUCCESS,
            libc::SIGCHLD => reap(),
            _ => {}
        }
    }
}

fn reap() {
    while let Ok(Some(_)) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {}
}
