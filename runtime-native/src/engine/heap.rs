//! Gives what a pull needed back to the kernel: an engine without work holds next to nothing.
#![allow(unsafe_code)]

/// Parts of the heap that threads may fill side by side.
#[cfg(target_env = "gnu")]
const ARENAS: i32 = 2;

/// Blocks of at least this size are mappings of their own, gone when freed, in bytes. Stated, so that the allocator
/// does not raise it with the largest block it has seen.
#[cfg(target_env = "gnu")]
const MMAP_BYTES: i32 = 128 << 10;

/// Sets the limits of the GNU allocator; others are left as they are.
pub fn keep_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets limits of the allocator; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, ARENAS);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_BYTES);
    }
}

/// Gives the heap's free pages back, also those between what is in use.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's locks; it only touches memory that nobody holds.
    unsafe {
        libc::malloc_trim(0);
    }
}
