//! A profiler may unwind from a signal's handler wherever a goroutine is: in a switch, in its first frame, on a segment.

use goroutines_tests::{program, run};

#[test]
fn unwinding_from_signals_ends_well_wherever_goroutines_are() {
    for procs in ["1", "2", "8"] {
        let mut command = program(env!("CARGO_BIN_EXE_profiled"));
        let death = run(command.env("GOMAXPROCS", procs));
        assert_eq!(
            (death.code, death.signal),
            (Some(0), None),
            "{procs}: {death:?}"
        );
        let mut words = death.stdout.split_whitespace();
        let mut number = |name| {
            assert_eq!(words.next(), Some(name), "{death:?}");
            words.next().and_then(|word| word.parse::<usize>().ok())
        };
        assert!(number("samples") > Some(100), "{procs}: {death:?}");
        assert_eq!(number("circles"), Some(0), "{procs}: {death:?}");
    }
}
