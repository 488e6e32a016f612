//! Where the crate does not work: what is missing, for each system.

#[cfg(any(target_os = "macos", target_os = "ios"))]
compile_error!(
    "goroutines does not run on macOS: there is no ELF thread-local storage for the thread word, no futex, no epoll. \
     docs/other-systems.md lists what a port would bring"
);

#[cfg(any(
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly"
))]
compile_error!(
    "goroutines does not run on BSD: futex, epoll and membarrier are missing, and signals have another context. \
     docs/other-systems.md lists what a port would bring"
);

#[cfg(windows)]
compile_error!(
    "goroutines does not run on Windows: stacks, tables of unwinding, faults and sockets all differ. \
     docs/other-systems.md lists what a port would bring"
);

#[cfg(not(any(
    target_os = "linux",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd",
    target_os = "netbsd",
    target_os = "openbsd",
    target_os = "dragonfly",
    windows
)))]
compile_error!(
    "goroutines runs on Linux only: it needs ELF thread-local storage, futex, epoll, and signals on an alternate stack. \
     docs/other-systems.md lists what a port would bring"
);
