//! `sluice completions` and `sluice man`: made from the same definitions as `--help`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man as Page;

/// Whose completions.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

/// Which page, and where to.
#[derive(Debug, Args)]
pub struct Man {
    /// The command that the page is about; without it the page is about sluice
    command: Option<String>,
    /// Write the pages of all commands into this folder: sluice.1, sluice-serve.1 …
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    all: Option<PathBuf>,
}

/// Prints a shell's completions for this command line.
///
/// # Errors
/// When nobody reads it.
pub fn completions(asked: &Completions, mut sluice: Command) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut sluice, "sluice", &mut script);
    super::out(&String::from_utf8_lossy(&script))?;
    Ok(0)
}

/// Prints a manual page of this command line, or writes all of them.
///
/// # Errors
/// A command that does not exist, a folder that cannot be written.
pub fn man(asked: &Man, sluice: Command) -> anyhow::Result<u8> {
    if let Some(folder) = &asked.all {
        let cannot = || format!("cannot write into {}", folder.display());
        clap_mangen::generate_to(sluice, folder).with_context(cannot)?;
        return Ok(0);
    }
    let mut page = Vec::new();
    Page::new(the_command(sluice, asked.command.as_deref())?).render(&mut page)?;
    super::out(&String::from_utf8_lossy(&page))?;
    Ok(0)
}

/// The command whose name is given; built, so that its page bears its whole name: `sluice-serve`.
fn the_command(mut sluice: Command, name: Option<&str>) -> anyhow::Result<Command> {
    sluice.build();
    let Some(name) = name else { return Ok(sluice) };
    let found = sluice.find_subcommand(name).with_context(|| format!("sluice has no command {name:?}"))?;
    Ok(found.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Command {
        Command::new("sluice").subcommand(Command::new("serve").about("Runs it"))
    }

    #[test]
    fn a_page_bears_the_name_by_which_it_is_asked_for() {
        let serve = the_command(sample(), Some("serve")).unwrap();
        assert_eq!(serve.get_display_name(), Some("sluice-serve"));
        assert_eq!(the_command(sample(), None).unwrap().get_name(), "sluice");
        let error = the_command(sample(), Some("fly")).unwrap_err();
        assert_eq!(error.to_string(), "sluice has no command \"fly\"");
    }
}
