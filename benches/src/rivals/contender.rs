//! A contender: a program that does a row in a process of its own, and what it answers.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use super::row::Row;
use crate::cpu;

/// A name, and the first words of a command; or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) rest: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Named, String> {
        match text.split_once('=') {
            Some((name, rest)) if !name.is_empty() && !rest.trim().is_empty() => Ok(Named {
                name: name.to_owned(),
                rest: rest.trim().to_owned(),
            }),
            _ => Err("give a name, `=`, and the rest".to_owned()),
        }
    }
}

/// What came of a sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Figures by their names.
    Figures(Vec<(String, f64)>),
    /// Why there are none: it does not take part, or it failed.
    None(String),
}

/// How a row is measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) quick: bool,
    pub(super) millis: u32,
    pub(super) patience: Duration,
}

/// Measures a row once. On one P the process has one CPU: the last, as interrupts prefer the first.
///
/// # Errors
///
/// When this process is not told its CPUs. What happens to the other process is an outcome.
pub(super) fn measure(who: &Named, row: &Row, procs: usize, way: Way) -> io::Result<Outcome> {
    let mut cpus = cpu::allowed()?;
    if procs == 1 {
        cpus = cpus.split_off(cpus.len().saturating_sub(1));
    }
    let mut words = who.rest.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    let size = if way.quick { row.quick } else { row.size };
    command
        .args(words)
        .args([
            row.word,
            &procs.to_string(),
            &size.to_string(),
            &way.millis.to_string(),
        ])
        .env("GOMAXPROCS", procs.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A child may run where the thread that starts it may.
    let spawn = move || cpu::pin_to(&cpus).and_then(|()| command.spawn());
    let child = thread::spawn(spawn).join();
    let child = child.map_err(|_| io::Error::other("the thread that starts it panicked"))?;
    Ok(match child {
        Ok(child) => outcome(child, way.patience),
        Err(error) => Outcome::None(format!("failed: {error}")),
    })
}

fn outcome(mut child: Child, patience: Duration) -> Outcome {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (said, complained) = (reader(stdout), reader(stderr));
    let status = end(&mut child, patience);
    let (said, complained) = (text(said), text(complained));
    let last = complained
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty());
    let last: String = last.unwrap_or("no word of why").chars().take(120).collect();
    match status {
        None => Outcome::None(format!("failed: no end in {} s", patience.as_secs())),
        Some(status) if !status.success() => Outcome::None(format!("failed: {status}: {last}")),
        Some(_) => answer(&said),
    }
}

/// Reads to the end, so that the process does not wait for a reader.
fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is the text.
        let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn text(reader: thread::JoinHandle<String>) -> String {
    reader.join().unwrap_or_default()
}

/// How it ended; none if it had to be killed.
fn end(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(10));
    }
    // An error says that it has ended meanwhile.
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The figures of `ns=17.2 bytes=4360`, or the reason of `no: ...`.
fn answer(said: &str) -> Outcome {
    let said = said.trim();
    if said.starts_with("no: ") {
        return Outcome::None(said.to_owned());
    }
    let figure = |word: &str| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    let figures: Option<Vec<(String, f64)>> = said.split_whitespace().map(figure).collect();
    match figures.filter(|figures| !figures.is_empty()) {
        Some(figures) => Outcome::Figures(figures),
        None => Outcome::None(format!("failed: it said `{said}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rivals::row::ROWS;

    fn shell(script: &str) -> Outcome {
        let path = std::env::temp_dir().join(format!(
            "goroutines-contender-{}-{}",
            std::process::id(),
            script.len()
        ));
        std::fs::write(&path, script).unwrap();
        let who: Named = format!("x=/bin/sh {}", path.display()).parse().unwrap();
        let way = Way {
            quick: true,
            millis: 1,
            patience: Duration::from_secs(20),
        };
        let outcome = measure(&who, &ROWS[1], 1, way).unwrap();
        std::fs::remove_file(&path).unwrap();
        outcome
    }

    #[test]
    fn it_is_given_the_row_and_answers_figures_or_a_reason() {
        let asked = shell("echo $1=$2 $3=$4");
        let figures = [("yield".to_owned(), 1.0), ("2".to_owned(), 1.0)];
        assert_eq!(asked, Outcome::Figures(figures.into()));
        assert_eq!(shell("echo no: idea"), Outcome::None("no: idea".to_owned()));
    }

    #[test]
    fn what_crashes_or_says_nonsense_has_failed_and_says_how() {
        let of = |outcome: Outcome| match outcome {
            Outcome::None(why) => why,
            Outcome::Figures(figures) => panic!("{figures:?}"),
        };
        let crashed = of(shell("echo out of memory >&2; kill -ABRT $$"));
        assert!(crashed.starts_with("failed: signal: 6"), "{crashed}");
        assert!(crashed.ends_with("out of memory"), "{crashed}");
        assert!(of(shell("echo hello you")).contains("hello you"));
        let absent: Named = "x=/no/such/program".parse().unwrap();
        let way = Way {
            quick: true,
            millis: 1,
            patience: Duration::from_secs(1),
        };
        let outcome = of(measure(&absent, &ROWS[0], 1, way).unwrap());
        assert!(outcome.starts_with("failed: No such file"), "{outcome}");
    }

    #[test]
    fn what_hangs_is_ended() {
        let mut command = Command::new("sleep");
        let child = command
            .arg("600")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let outcome = outcome(child.spawn().unwrap(), Duration::from_millis(50));
        assert_eq!(outcome, Outcome::None("failed: no end in 0 s".to_owned()));
    }

    #[test]
    fn a_contender_has_a_name_and_words() {
        assert!("go=/bin/go x".parse::<Named>().is_ok());
        for wrong in ["", "go", "=x", "go= "] {
            assert!(wrong.parse::<Named>().is_err(), "{wrong}");
        }
    }
}
