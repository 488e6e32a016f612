//! Which machine the numbers are from.

use std::fs;

use serde::{Deserialize, Serialize};

/// What a reader must know to compare the numbers with those of another machine.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Machine {
    /// The processor's name for itself.
    pub cpu: String,
    /// How many CPUs are online.
    pub cpus_online: usize,
    /// Whether a hypervisor announces itself: switches of a guest differ from those of the bare machine.
    pub virtual_machine: bool,
    /// Name, release and architecture of the kernel.
    pub kernel: String,
    /// The compiler that built this program.
    pub rustc: String,
    /// Whether the compiler optimised: numbers of a debug build mean nothing.
    pub optimised: bool,
    /// The load average of the last minute when the program started: other work disturbs the numbers.
    pub load: Option<f64>,
}

impl Machine {
    /// Looks at the machine this runs on; what it cannot learn it calls unknown.
    pub fn detect() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let kernel = match nix::sys::utsname::uname() {
            Ok(name) => [name.sysname(), name.release(), name.machine()]
                .map(|part| part.to_string_lossy())
                .join(" "),
            Err(_) => "unknown kernel".to_owned(),
        };
        Self {
            cpu: cpu_model(&cpuinfo)
                .unwrap_or_else(|| format!("unknown {} CPU", std::env::consts::ARCH)),
            cpus_online: online_cpus(),
            virtual_machine: has_hypervisor(&cpuinfo),
            kernel,
            rustc: env!("RUSTC_VERSION").to_owned(),
            optimised: !cfg!(debug_assertions),
            load: fs::read_to_string("/proc/loadavg")
                .ok()
                .as_deref()
                .and_then(first_number),
        }
    }
}

fn online_cpus() -> usize {
    // SAFETY: sysconf takes no pointer and may be called with any number from any thread.
    let count = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
    usize::try_from(count).unwrap_or(0).max(1)
}

fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    cpuinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// x86 says `model name`, some others `cpu model` or `uarch`; aarch64 gives numbers only.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    let named = ["model name", "cpu model", "uarch", "cpu"]
        .iter()
        .find_map(|name| field(cpuinfo, name));
    if let Some(model) = named.filter(|model| !model.is_empty()) {
        return Some(model.to_owned());
    }
    let part = field(cpuinfo, "CPU part")?;
    Some(format!(
        "CPU implementer {} part {part}",
        field(cpuinfo, "CPU implementer").unwrap_or("unknown")
    ))
}

fn has_hypervisor(cpuinfo: &str) -> bool {
    field(cpuinfo, "flags")
        .is_some_and(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const X86: &str = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: fpu sse hypervisor avx\n\nprocessor\t: 1\n";
    const ARM: &str = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n";

    #[test]
    fn the_model_is_found_in_the_words_of_each_architecture() {
        assert_eq!(cpu_model(X86).unwrap(), "Some CPU @ 3 GHz");
        assert_eq!(cpu_model(ARM).unwrap(), "CPU implementer 0x41 part 0xd0c");
        assert_eq!(cpu_model("nonsense"), None);
    }

    #[test]
    fn a_guest_is_told_from_a_bare_machine() {
        assert!(has_hypervisor(X86));
        assert!(!has_hypervisor(ARM));
        assert!(!has_hypervisor("flags\t: fpu hypervisors\n"));
    }

    #[test]
    fn the_load_is_the_first_number_or_nothing() {
        assert_eq!(first_number("1.25 0.90 0.50 2/300 1234\n"), Some(1.25));
        assert_eq!(first_number(""), None);
        assert_eq!(first_number("high"), None);
    }

    #[test]
    fn this_machine_has_a_kernel_a_compiler_and_a_cpu() {
        let machine = Machine::detect();
        assert!(machine.kernel.starts_with("Linux "), "{machine:?}");
        assert!(machine.rustc.starts_with("rustc "), "{machine:?}");
        assert!(machine.cpus_online >= 1, "{machine:?}");
    }
}
