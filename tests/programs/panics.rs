//! What panics write: one case per argument. tests/failure/panics.rs looks at it.

use std::{env, panic, process::ExitCode, thread};

use goroutines::{Builder, Config, go};

fn start(config: Config) {
    // SAFETY: nothing here keeps thread-local storage over a call that can park.
    unsafe { config.start() }.unwrap();
}

fn fail() {
    panic!("no such file");
}

fn worker() {
    let builder = Builder::new().name("worker".to_owned());
    assert!(builder.spawn(fail).unwrap().join().is_err());
}

fn hook(name: &'static str) {
    panic::set_hook(Box::new(move |_| eprintln!("the {name} hook")));
}

fn main() -> ExitCode {
    let case = env::args().nth(1).unwrap_or_default();
    match case.as_str() {
        "named" => {
            start(Config::new());
            worker();
        }
        "started-plainly" => {
            // SAFETY: nothing here keeps thread-local storage over a call that can park.
            unsafe { goroutines::start() }.unwrap();
            worker();
        }
        "without-a-name" => {
            start(Config::new());
            assert!(go(fail).join().is_err());
        }
        "thread" => {
            start(Config::new());
            assert!(thread::spawn(fail).join().is_err());
        }
        "off" => {
            start(Config::new().panic_hook(false));
            worker();
        }
        "small-stack" => {
            start(Config::new());
            let builder = Builder::new().name("worker".to_owned()).stack_start(2048);
            assert!(builder.spawn(fail).unwrap().join().is_err());
        }
        "hook-before" => {
            hook("program's");
            start(Config::new());
            worker();
        }
        "hook-after" => {
            start(Config::new());
            hook("program's");
            worker();
        }
        "hook-after-that-calls" => {
            start(Config::new());
            let ours = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                eprintln!("the program's hook");
                ours(info);
            }));
            worker();
        }
        "resumed" => {
            start(Config::new());
            let resumes = go(|| panic::resume_unwind(Box::new(())));
            assert!(resumes.join().is_err());
        }
        other => {
            eprintln!("panics: no case `{other}`");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
