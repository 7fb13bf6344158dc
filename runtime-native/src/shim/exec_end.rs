//! The end of an exec: by itself, by its timeout, with its client or with its container; then the rest of its output,
//! its status, and nothing left.

use std::fs;
use std::time::{Duration, Instant};

use super::exec::{Exec, Killing};
use super::exit::{QUIET, status};
use super::runtime::Ended;
use super::shim::{Shim, Then};
use super::stdio::{Stdio, Stream};

/// Time between one kill of a whole exec and the next.
const AGAIN: Duration = Duration::from_millis(10);

/// How long killed processes are waited for before the answer.
const MAX_KILL: Duration = Duration::from_secs(2);

/// Most sub-cgroups kept for another try at removing them.
const MAX_LEFTOVER: usize = 64;

impl Shim {
    /// Its process was reaped.
    pub fn exec_ended(&mut self, serial: u32, ended: Ended) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) else { return };
        exec.ended = Some((ended, Instant::now()));
        exec.expires_at = None;
        self.output_ready(serial, Stream::Out);
        self.output_ready(serial, Stream::Err);
        self.settle_exec(serial);
    }

    /// Its client is gone: nobody is left to run it for.
    pub fn exec_abandoned(&mut self, serial: u32) {
        if let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) {
            exec.connection = None;
            exec.stdio = Stdio::default();
        }
        self.kill_exec(serial);
    }

    /// Kills every exec of a container.
    pub fn end_execs(&mut self, container: u32) {
        let of_it = self.execs.iter().filter(|exec| exec.container == container).map(|exec| exec.serial);
        of_it.collect::<Vec<u32>>().into_iter().for_each(|serial| self.kill_exec(serial));
    }

    /// Does what an exec's deadlines ask for by now.
    pub fn exec_due(&mut self, serial: u32, now: Instant) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) else { return };
        if exec.expires_at.is_some_and(|at| at <= now) {
            exec.timed_out = true;
            exec.expires_at = None;
            self.kill_exec(serial);
        } else if let Some(killing) = exec.killing.as_mut().filter(|killing| killing.again_at <= now) {
            killing.again_at = now + AGAIN;
            let until = killing.until;
            if !exec.kill() || until <= now {
                exec.killing = None;
            }
        }
        self.output_ready(serial, Stream::Out);
        self.output_ready(serial, Stream::Err);
        self.settle_exec(serial);
    }

    fn kill_exec(&mut self, serial: u32) {
        let Some(exec) = self.execs.iter_mut().find(|exec| exec.serial == serial) else { return };
        let now = Instant::now();
        exec.killing.get_or_insert(Killing { again_at: now + AGAIN, until: now + MAX_KILL });
        if exec.pid == 0 {
            let concerns = |then: &Then| matches!(then, Then::Exec { exec, .. } if *exec == serial);
            self.runs.iter_mut().filter(|run| concerns(&run.then)).for_each(|run| run.abort());
        }
        exec.kill();
    }

    /// Answers and forgets an exec once its process has ended, its output is read, and what was to be killed is gone.
    pub fn settle_exec(&mut self, serial: u32) {
        let Some(at) = self.execs.iter().position(|exec| exec.serial == serial) else { return };
        let Some(exec) = self.execs.get(at) else { return };
        let Some((ended, ended_at)) = exec.ended else { return };
        let quiet = !exec.stdio.is_paused() && ended_at.elapsed() >= QUIET;
        if exec.killing.is_some() || !(exec.stdio.is_drained() || quiet) {
            return;
        }
        let exec = self.execs.swap_remove(at);
        let (status, client) = (status(ended, exec.timed_out), exec.connection);
        self.forget_exec(exec);
        if let Some(connection) = self.connections.iter_mut().find(|found| Some(found.serial) == client) {
            connection.send_status(&self.poll, &status);
        }
    }

    /// Removes what an exec has in the file system; a sub-cgroup that is not empty is tried again after the next one.
    pub fn forget_exec(&mut self, exec: Exec) {
        exec.files.iter().for_each(|file| drop(fs::remove_file(file)));
        let Some(container) = self.container(exec.container) else { return };
        container.leftover.extend(exec.sub);
        container.leftover.retain(|sub| !sub.remove());
        container.leftover.truncate(MAX_LEFTOVER);
    }
}
