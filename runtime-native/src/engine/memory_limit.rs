//! The limit of memory that the engine was started with: shims and runtimes have it from the engine, so one that is
//! lowered later leaves them too little, and only a new engine has the daemon's again.

use rustix::process::{Resource, getrlimit};

/// How the process ends of it; berthd knows it by this.
pub const EXIT_CODE: u8 = 12;

pub struct MemoryLimit(u64);

impl MemoryLimit {
    /// As it is now.
    pub fn now() -> Self {
        Self(getrlimit(Resource::As).current.unwrap_or(u64::MAX))
    }

    pub fn was_lowered(&self) -> bool {
        Self::now().0 < self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_limit_below_that_of_the_start_was_lowered() {
        assert!(!MemoryLimit::now().was_lowered());
        assert!(!MemoryLimit(1).was_lowered());
    }
}
