//! The servers that are measured.

use std::env;
use std::io;
use std::process::Command;
use std::str::FromStr;

use super::service::Service;

/// The raw loop's name: what ratios refer to.
pub(super) const RAW: &str = "raw";

/// The servers of this program, in the order of the report.
const OWN: [&str; 4] = [RAW, "goroutines", "copied", "threads"];

/// A server of another program.
#[derive(Clone, Debug)]
pub(super) struct Rival {
    name: String,
    command: Vec<String>,
}

impl FromStr for Rival {
    type Err = String;

    fn from_str(text: &str) -> Result<Rival, String> {
        let (name, command) = text.split_once('=').unwrap_or_default();
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        if name.is_empty() || command.is_empty() || OWN.contains(&name) {
            return Err("give a new name, `=`, and a program with its first words".to_owned());
        }
        Ok(Rival {
            name: name.to_owned(),
            command,
        })
    }
}

/// A server that is measured.
#[derive(Clone, Debug)]
pub(super) enum Contender {
    /// This program.
    Own(&'static str),
    /// Another one.
    Rival(Rival),
}

impl Contender {
    pub(super) fn all(rivals: &[Rival]) -> Vec<Contender> {
        let rivals = rivals.iter().cloned().map(Contender::Rival);
        OWN.into_iter().map(Contender::Own).chain(rivals).collect()
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Contender::Own(name) => name,
            Contender::Rival(rival) => &rival.name,
        }
    }

    /// The server process, after the words of `before`, which may be none.
    pub(super) fn command(
        &self,
        before: &[&str],
        service: Service,
        procs: usize,
    ) -> io::Result<Command> {
        let mut words: Vec<String> = before.iter().map(|&word| word.to_owned()).collect();
        match self {
            Contender::Own(name) => {
                let program = env::current_exe()?.to_string_lossy().into_owned();
                words.extend([program, "--serve".to_owned(), (*name).to_owned()]);
            }
            Contender::Rival(rival) => words.extend_from_slice(&rival.command),
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(service.word());
        command
            .arg(procs.to_string())
            .env("GOMAXPROCS", procs.to_string());
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rival_is_a_name_and_the_words_of_a_command() {
        let rival: Rival = "tokio=/bin/rivals serve  tokio".parse().unwrap();
        assert_eq!(rival.name, "tokio");
        assert_eq!(rival.command, ["/bin/rivals", "serve", "tokio"]);
        for wrong in ["", "tokio", "=x", "tokio=", "tokio= ", "raw=x"] {
            assert!(wrong.parse::<Rival>().is_err(), "{wrong}");
        }
    }
}
