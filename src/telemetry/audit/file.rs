//! A file that grows by whole lines, is put aside when it is full, and outlives its disk.
//!
//! It is opened again when it is gone from its place (removed, rotated by somebody else, a disk that was
//! taken away). After a failure nothing is tried for a while, then again: it comes back by itself.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::Place;

/// The file, open or not.
#[derive(Debug)]
pub struct RotatedFile {
    place: Place,
    open: Option<Open>,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// What tells this file from another at its place.
    identity: (u64, u64),
    /// Bytes in it; `None` for what is no file, such as a pipe: it is never put aside.
    size: Option<u64>,
}

/// It cannot be written.
#[derive(Debug)]
struct Trouble {
    lost: usize,
    pause: Duration,
    until: Instant,
}

impl RotatedFile {
    /// The file at `place`; it is opened with its first line.
    pub const fn new(place: Place) -> Self {
        Self { place, open: None, trouble: None }
    }

    /// Writes lines, each with its line break; how many of them were lost.
    pub fn write(&mut self, lines: &[String]) -> usize {
        self.write_at(lines, Instant::now())
    }

    fn write_at(&mut self, lines: &[String], now: Instant) -> usize {
        let mut rest = lines;
        while !rest.is_empty() && self.trouble.as_ref().is_none_or(|trouble| now >= trouble.until) {
            match self.write_some(rest) {
                Ok(written) => {
                    self.recovered();
                    rest = rest.get(written..).unwrap_or_default();
                }
                Err(error) => self.failed(&error, now),
            }
        }
        if let Some(trouble) = &mut self.trouble {
            trouble.lost += rest.len();
        }
        rest.len()
    }

    /// Writes as many lines as go into the present file, at least one; how many.
    fn write_some(&mut self, lines: &[String]) -> io::Result<usize> {
        let first = lines.first().map_or(0, |line| bytes(line));
        let max = self.place.max_size;
        if self.opened()?.size.is_some_and(|size| size > 0 && size + first > max) {
            self.put_aside()?;
        }
        let open = self.opened()?;
        let mut size = open.size.unwrap_or(0);
        let fits = |line: &&String| {
            size += bytes(line);
            open.size.is_none() || size <= max
        };
        let count = lines.iter().take_while(fits).count().max(1);
        open.append(lines.get(..count).unwrap_or_default().concat().as_bytes())?;
        Ok(count)
    }

    /// The file at its place.
    fn opened(&mut self) -> io::Result<&mut Open> {
        let there = fs::metadata(&self.place.path).map(|metadata| identity(&metadata)).ok();
        let open = match self.open.take() {
            Some(open) if Some(open.identity) == there => open,
            _ => Open::at(&self.place.path)?,
        };
        Ok(self.open.insert(open))
    }

    /// `audit.jsonl` becomes `audit.jsonl.1`, that one `audit.jsonl.2`, and the last one is no more.
    fn put_aside(&mut self) -> io::Result<()> {
        self.open = None;
        if self.place.keep == 0 {
            return fs::remove_file(&self.place.path);
        }
        for number in (0..self.place.keep).rev() {
            match fs::rename(self.aside(number), self.aside(number + 1)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The name of the file that was put aside so many times.
    fn aside(&self, times: u32) -> PathBuf {
        let mut name = OsString::from(&self.place.path);
        if times > 0 {
            name.push(format!(".{times}"));
        }
        name.into()
    }

    fn failed(&mut self, error: &io::Error, now: Instant) {
        self.open = None;
        let (path, before) = (self.place.path.display(), self.trouble.take());
        if before.is_none() {
            tracing::error!("the audit file {path} cannot be written, records are lost: {error}");
        }
        let (lost, pause) =
            before.map_or((0, FIRST_PAUSE), |it| (it.lost, (it.pause * 2).min(LONGEST_PAUSE)));
        self.trouble = Some(Trouble { lost, pause, until: now + pause });
    }

    fn recovered(&mut self) {
        if let Some(trouble) = self.trouble.take() {
            let path = self.place.path.display();
            tracing::warn!(lost = trouble.lost, "the audit file {path} is written again");
        }
    }
}

impl Open {
    fn at(path: &std::path::Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(MODE);
        // What cannot be read, a pipe or a device, can still be written.
        let mut file = options.clone().read(true).open(path).or_else(|_| options.open(path))?;
        let metadata = file.metadata()?;
        let identity = identity(&metadata);
        if !metadata.is_file() {
            return Ok(Self { file, identity, size: None });
        }
        let mut size = metadata.len();
        if size > 0 && !ends_a_line(&mut file).unwrap_or(true) {
            // Half a line from a full disk or a crash: the next one is not to be glued to it.
            file.write_all(b"\n")?;
            size += 1;
        }
        Ok(Self { file, identity, size: Some(size) })
    }

    /// All of it, or nothing if that can be had.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.file.write_all(bytes);
        match (&written, &mut self.size) {
            (Ok(()), Some(size)) => *size += u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            (Err(_), Some(size)) => {
                let _ = self.file.set_len(*size); // else the line is ended when the file is opened again
            }
            (_, None) => {}
        }
        written
    }
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn bytes(line: &str) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}

/// The owner writes, the group reads.
const MODE: u32 = 0o640;
/// After the first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Between two tries, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
