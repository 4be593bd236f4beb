//! `--config`, for every command that reads the configuration.

use std::path::{Path, PathBuf};

use clap::Args;

/// Where the settings are.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The settings file [default: conf/sluice.yaml where there is one, else /etc/sluice/sluice.yaml]
    #[arg(long = "config", value_name = "FILE")]
    asked: Option<PathBuf>,
}

impl ConfigFile {
    /// The file that is asked for, or the usual one: in a checkout its own, elsewhere the package's.
    pub fn path(&self) -> &Path {
        self.asked.as_deref().unwrap_or_else(|| {
            let here = Path::new("conf/sluice.yaml");
            let installed = Path::new("/etc/sluice/sluice.yaml");
            if !here.exists() && installed.exists() { installed } else { here }
        })
    }
}
