//! Keeps the heap of a process that mostly waits as small as what it holds.
#![allow(unsafe_code)]

/// Blocks of at least this size are mappings of their own, gone when freed, in bytes.
const MMAP_BYTES: i32 = 32 << 10;

/// Free memory at the heap's top beyond which it goes back to the kernel, in bytes.
const TRIM_BYTES: i32 = 8 << 10;

/// Sets the limits of the GNU allocator; others are left as they are.
pub fn keep_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets limits of the allocator; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, MMAP_BYTES);
        libc::mallopt(libc::M_TRIM_THRESHOLD, TRIM_BYTES);
        libc::mallopt(libc::M_TOP_PAD, 0);
    }
}
