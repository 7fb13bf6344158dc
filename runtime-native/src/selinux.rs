//! SELinux labels, where pods have them: what mount(2) is told, and what the next program runs with.

use serde::{Deserialize, Serialize};

/// Labels of one pod: of its processes, and of the file systems that are mounted for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Labels {
    pub process: String,
    pub mount: String,
}

/// The option that labels all of a file system, for the end of mount(2)'s options; nothing without a label. It is
/// quoted because labels have commas.
pub fn and_context(label: &str) -> String {
    if label.is_empty() { String::new() } else { format!(",context=\"{label}\"") }
}

/// Gives the next program that this thread executes, or a child of its, that label; nothing to do without one.
pub fn label_next_program(label: &str) -> std::io::Result<()> {
    if label.is_empty() { Ok(()) } else { std::fs::write("/proc/thread-self/attr/exec", label) }
}
