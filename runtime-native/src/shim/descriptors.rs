//! Descriptors that outlive an exec, and the exec itself.
#![allow(unsafe_code)]

use std::ffi::{CString, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// The numbers of those that the next version of the shim takes over.
#[derive(Default)]
pub struct Descriptors(pub Vec<i32>);

impl Descriptors {
    /// Notes one; gives its number.
    pub fn keep(&mut self, fd: impl AsFd) -> i32 {
        let number = fd.as_fd().as_raw_fd();
        self.0.push(number);
        number
    }

    pub fn keep_some(&mut self, fd: Option<&OwnedFd>) -> Option<i32> {
        fd.map(|fd| self.keep(fd))
    }
}

/// True when each number is open.
pub fn are_open(numbers: &[i32]) -> bool {
    // SAFETY: borrowed for one call, which fails harmlessly on a number that is not open.
    numbers.iter().all(|number| *number > 2 && fcntl_getfd(unsafe { BorrowedFd::borrow_raw(*number) }).is_ok())
}

/// Takes a descriptor over that the version before has kept.
pub fn adopt(number: i32) -> OwnedFd {
    // SAFETY: the version before named each number once, and `are_open` has found it.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    let _ = fcntl_setfd(&fd, FdFlags::CLOEXEC);
    fd
}

/// Becomes `program`, which is given `words` and the descriptors; returns only when that cannot be.
pub fn become_program(program: &OwnedFd, words: &[&str], descriptors: &Descriptors) -> io::Error {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [OsStr::new("PATH="), &path].map(OsStr::as_bytes).concat();
    let (Ok(words), Ok(path)) =
        (words.iter().map(|word| CString::new(*word)).collect::<Result<Vec<_>, _>>(), CString::new(path))
    else {
        return io::ErrorKind::InvalidInput.into();
    };
    let argv: Vec<_> = words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
    let environment = [path.as_ptr(), std::ptr::null()];
    set_all(descriptors, FdFlags::empty());
    // SAFETY: every pointer is to a string, and every list to its null, that outlive the call.
    unsafe {
        libc::execveat(
            program.as_raw_fd(),
            c"".as_ptr(),
            argv.as_ptr().cast(),
            environment.as_ptr().cast(),
            libc::AT_EMPTY_PATH,
        );
    }
    let error = io::Error::last_os_error();
    set_all(descriptors, FdFlags::CLOEXEC);
    error
}

fn set_all(descriptors: &Descriptors, flags: FdFlags) {
    for number in &descriptors.0 {
        // SAFETY: borrowed for one call; who noted it still holds it.
        let _ = fcntl_setfd(unsafe { BorrowedFd::borrow_raw(*number) }, flags);
    }
}
