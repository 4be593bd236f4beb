//! The command line: what can be asked of the binary, and its exit codes.

mod admin;
mod check;
mod config_file;
mod demo;
mod explain;
mod explain_text;
mod key;
mod log_level;
mod manual;
mod mode;
mod replay;
mod schema;
mod serve;
mod status;
mod table;
mod watch;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use config_file::ConfigFile;

/// The one OpenAI-compatible door of a home with two GPUs.
#[derive(Debug, Parser)]
#[command(name = "sluice", version, about, after_help = EXIT_CODES, subcommand_required = true, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy and the admin listener
    Serve(ConfigFile),
    /// Check both configuration files and print every problem
    Check(check::Check),
    /// Decide for a request body and say why
    Explain(explain::Explain),
    /// Decide again about recorded requests, and print what would change
    Replay(replay::Replay),
    /// Show a running sluice: gates, cards, backends
    Status(status::Status),
    /// Read the gaming PC's mode, or say it
    Mode(mode::Mode),
    /// Make keys for clients
    Key(key::Key),
    /// Read how much a running sluice logs, or change it
    LogLevel(log_level::LogLevel),
    /// Print the JSON Schema of a configuration file
    Schema {
        /// Which file
        file: SchemaOf,
    },
    /// Run everything on this machine with simulated model servers
    Demo(demo::Demo),
    /// Print a shell's completions
    Completions(manual::Completions),
    /// Print a manual page (to read it: sluice man | man -l -)
    Man(manual::Man),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SchemaOf {
    /// `sluice.yaml`
    Settings,
    /// `policy.yaml`
    Policy,
}

impl SchemaOf {
    const fn schema(self) -> schema::Schema {
        match self {
            Self::Settings => schema::Schema::Settings,
            Self::Policy => schema::Schema::Policy,
        }
    }
}

/// Everything behind `main`.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => ExitCode::from(code),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format_args!("sluice: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<u8> {
    match command {
        Command::Serve(config) => serve::run(config.path()),
        Command::Check(asked) => Ok(check::run(&asked, &mut io::stdout().lock())),
        Command::Explain(asked) => explain::run(&asked),
        Command::Replay(asked) => replay::run(&asked),
        Command::Status(asked) => status::run(&asked),
        Command::Mode(asked) => mode::run(&asked),
        Command::Key(key) => key::run(&key),
        Command::LogLevel(asked) => log_level::run(&asked),
        Command::Schema { file } => out(file.schema().text()).map(|()| 0),
        Command::Demo(demo) => demo::run(&demo),
        Command::Completions(asked) => manual::completions(&asked, Cli::command()),
        Command::Man(asked) => manual::man(&asked, Cli::command()),
    }
}

/// Prints to standard output, at once. Colours stay on a terminal only, and not where `NO_COLOR` is set.
///
/// # Errors
/// When nobody reads it.
fn out(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints to standard error. When even that fails there is nobody to tell.
fn complain(what: &dyn std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{what}");
}

/// The reader of our output went away: `sluice explain … | head` is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failure, 2 usage, 3 the request would be refused (explain) or something would change (replay), 78 bad configuration";
/// `EX_CONFIG` of sysexits.h.
const EXIT_CONFIG: u8 = 78;
/// `replay`: not all is the same.
const EXIT_DIFFERENT: u8 = 3;
/// `explain`: nobody would get the request.
const EXIT_REFUSED: u8 = 3;
