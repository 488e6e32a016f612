//! One line a CPU. The port of the CPU we are built for is module `cpu`.

#[cfg_attr(target_arch = "x86_64", path = "x86_64.rs")]
#[cfg_attr(target_arch = "aarch64", path = "aarch64.rs")]
mod cpu;
mod word;

pub use cpu::Native;
