//! The head of a report: on which machine its numbers were measured, and how.

use std::fmt::Write;

use super::machine::Machine;
use super::numbers::count;

/// The head of the report `name`, an empty line at its end. `lines` are those after the machine's: a word and a text.
pub fn render(name: &str, machine: &Machine, lines: &[(&str, String)]) -> String {
    let guest = if machine.virtual_machine {
        ", in a virtual machine"
    } else {
        ""
    };
    let mut text = format!("goroutines: the {name} report\n\n");
    let hardware = format!(
        "{}, {}{guest}",
        machine.cpu,
        count(machine.cpus_online, "CPU")
    );
    let software = format!("{}; {}", machine.kernel, machine.rustc);
    let of_the_machine = [("machine", hardware), ("software", software)];
    for (word, line) in of_the_machine.iter().chain(lines) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {word:<10}{line}");
    }
    text += "\n";
    if !machine.optimised {
        text += "  NOT OPTIMISED: this is a debug build, its numbers mean nothing. Use `cargo run --release`.\n\n";
    }
    text
}

/// What other work the machine had, for the end of a line; empty where it is not known.
pub fn load(machine: &Machine) -> String {
    machine.load.map_or(String::new(), |load| {
        format!("; load {load:.2} when it started")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_where_and_how() {
        let machine = Machine::detect();
        let text = render("switch", &machine, &[("measured", "twice".to_owned())]);
        assert!(
            text.starts_with("goroutines: the switch report\n\n  machine   "),
            "{text}"
        );
        assert!(text.contains("\n  measured  twice\n\n"), "{text}");
        for word in [&machine.cpu, &machine.kernel, &machine.rustc] {
            assert!(text.contains(word), "{text}");
        }
    }

    #[test]
    fn a_debug_build_says_that_its_numbers_mean_nothing() {
        let mut machine = Machine::detect();
        machine.optimised = false;
        assert!(render("x", &machine, &[]).contains("NOT OPTIMISED"));
        machine.optimised = true;
        assert!(!render("x", &machine, &[]).contains("NOT OPTIMISED"));
    }

    #[test]
    fn a_load_that_is_not_known_is_not_told() {
        let mut machine = Machine::detect();
        machine.load = Some(0.5);
        assert_eq!(load(&machine), "; load 0.50 when it started");
        machine.load = None;
        assert_eq!(load(&machine), "");
    }
}
