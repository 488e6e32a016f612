//! What a run is told: on its command line, once.

use std::{
    env,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use goroutines::Config;

use crate::{board::Actor, faults::FAULTS, scenes::SCENES};

const HELP: &str = "\
chaos [--mode NAME] [--seconds N] [--seed N] [--patience SECONDS] [--only SCENE,SCENE] [--crew N] [--hold] [--fault NAME]

--mode      how the runtime is started (default: default)
--seconds   how long rounds are begun (default: 10)
--seed      what is played (default: from the clock)
--patience  how long a step of an actor may last before the watchdog ends the process (default: 60)
--only      play these scenes alone
--crew      how many runners there are in each round (default: 1 to 12, at random)
--hold      a process that is stuck stays for ten minutes after the report, for a debugger
--fault     do something wrong on purpose, to see that it is noticed: stuck, lost, twice, panic, left
";

/// How the runtime is started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mode {
    pub name: &'static str,
    about: &'static str,
    /// Set before the start: the variable and its value.
    variable: Option<(&'static str, &'static str)>,
    /// Whether actors change the number of Ps.
    pub resizes: bool,
    /// Whether a goroutine with any stack may make a call that blocks signals (to start a thread).
    pub starts_threads: bool,
    /// One in how many actors gets a copy stack; 0 for none.
    pub copied: usize,
}

const PLAIN: Mode = Mode {
    name: "default",
    about: "as it comes",
    variable: None,
    resizes: true,
    starts_threads: true,
    copied: 0,
};

pub const MODES: [Mode; 9] = [
    PLAIN,
    Mode {
        name: "forced",
        about: "goroutines change threads whenever they can",
        ..PLAIN
    },
    Mode {
        name: "one",
        about: "one P, always",
        resizes: false,
        ..PLAIN
    },
    Mode {
        name: "copied",
        about: "a third of the actors have copy stacks",
        copied: 3,
        ..PLAIN
    },
    Mode {
        name: "copied-forced",
        about: "the same, and goroutines change threads whenever they can",
        copied: 3,
        ..PLAIN
    },
    Mode {
        name: "strict",
        about: "stacks start with 2 KiB and grow by guards",
        variable: Some(("GOROUTINE_STACK_START", "2K")),
        starts_threads: false,
        ..PLAIN
    },
    Mode {
        name: "mprotect",
        about: "a kernel without guard regions",
        variable: Some(("GOROUTINE_GUARD", "mprotect")),
        ..PLAIN
    },
    Mode {
        name: "no-membarrier",
        about: "a kernel without membarrier",
        variable: Some(("GOROUTINE_MEMBARRIER", "off")),
        ..PLAIN
    },
    Mode {
        name: "restless",
        about: "threads end, and stacks are shrunk, after a moment",
        ..PLAIN
    },
];

impl Mode {
    /// The settings of the runtime. Sets the mode's environment variable, so it is called before any thread is started.
    pub fn config(&self) -> Config {
        if let Some((name, value)) = self.variable {
            // SAFETY: `main` calls this while it is the only thread.
            unsafe { env::set_var(name, value) };
        }
        let config = Config::new().procs(if self.name == "one" { 1 } else { 4 });
        match self.name {
            "forced" | "copied-forced" => config.force_migration(true),
            "restless" => config
                .thread_idle(Duration::from_micros(300))
                .stack_idle(Duration::from_millis(2)),
            _ => config,
        }
    }
}

/// Settings of the run.
#[derive(Debug)]
pub struct Settings {
    pub mode: Mode,
    pub time: Duration,
    pub seed: u64,
    pub patience: Duration,
    pub scenes: Vec<usize>,
    pub crew: Option<usize>,
    pub hold: bool,
    /// Played in each round.
    pub fault: Option<fn(&mut Actor)>,
}

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Those of this run.
pub fn settings() -> &'static Settings {
    SETTINGS.get().expect("`keep` was called")
}

impl Settings {
    /// Makes them those of this run.
    pub fn keep(self) -> &'static Settings {
        SETTINGS.get_or_init(|| self)
    }

    /// From the command line; `None` if it asks for help.
    pub fn from_arguments() -> Result<Option<Settings>, String> {
        let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let mut settings = Settings {
            mode: PLAIN,
            time: Duration::from_secs(10),
            seed: clock.map_or(1, |since| since.as_nanos() as u64),
            patience: Duration::from_secs(60),
            scenes: (0..SCENES.len()).collect(),
            crew: None,
            hold: false,
            fault: None,
        };
        let mut arguments = env::args().skip(1);
        while let Some(option) = arguments.next() {
            if option == "--help" {
                help();
                return Ok(None);
            }
            if option == "--hold" {
                settings.hold = true;
                continue;
            }
            let value = arguments
                .next()
                .ok_or_else(|| format!("`{option}` needs a value"))?;
            settings.set(&option, &value)?;
        }
        Ok(Some(settings))
    }

    fn set(&mut self, option: &str, value: &str) -> Result<(), String> {
        let number = || {
            let wrong = |_| format!("{option} is `{value}`, which is not a number");
            value.parse::<u64>().map_err(wrong)
        };
        match option {
            "--mode" => {
                let mode = MODES.iter().find(|mode| mode.name == value);
                self.mode = *mode.ok_or_else(|| format!("there is no mode `{value}`"))?;
            }
            "--seconds" => self.time = Duration::from_secs(number()?),
            "--seed" => self.seed = number()?,
            "--patience" => self.patience = Duration::from_secs(number()?),
            "--crew" => self.crew = Some(number()?.max(1) as usize),
            "--fault" => {
                let fault = FAULTS.iter().find(|fault| fault.name == value);
                let missing = || format!("there is no fault `{value}`");
                self.fault = Some(fault.ok_or_else(missing)?.play);
            }
            "--only" => {
                let of = |name| SCENES.iter().position(|scene| scene.name == name);
                let find = |name| of(name).ok_or_else(|| format!("there is no scene `{name}`"));
                self.scenes = value.split(',').map(find).collect::<Result<_, _>>()?;
            }
            _ => return Err(format!("unknown option `{option}`")),
        }
        Ok(())
    }
}

fn help() {
    print!("{HELP}\nModes:\n");
    for mode in MODES {
        println!("  {:14} {}", mode.name, mode.about);
    }
    println!("\nScenes:");
    for scene in SCENES {
        println!("  {:14} {}", scene.name, scene.about);
    }
}
