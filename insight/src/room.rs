//! Room on the stack for what the system does on it: for `goroutines_sched::with_room`.

/// What starting a thread needs, in bytes: the C library blocks all signals meanwhile, so a guard that moves cannot.
pub(crate) const TO_START: usize = 64 << 10;

/// What reading the symbols of a program needs, in bytes: the symboliser's frames are large, and its system calls cannot
/// move a guard of the stack.
pub(crate) const TO_NAME: usize = 512 << 10;
