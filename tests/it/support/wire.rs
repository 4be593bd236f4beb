//! HTTP/1.1 read off a blocking socket, for both sides of a test: lenient where a test wants to see odd bytes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

/// Names in lower case and values, in order.
pub type Fields = Vec<(String, String)>;

/// A connection and the bytes that came but were not asked for yet.
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    /// Small writes go out at once.
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, unread: Vec::new() })
    }

    /// What came and was not asked for.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Says that nothing more will be sent.
    pub fn half_close(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// From now on closing it sends a reset and drops what was not sent yet.
    pub fn reset_on_close(&self) -> io::Result<()> {
        // the option belongs to the socket, so a second handle sets it for both
        TcpSocket::from_std_stream(self.stream.try_clone()?).set_zero_linger()
    }

    /// Reads once; 0 at the end.
    pub fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 64 << 10];
        let count = self.stream.read(&mut piece)?;
        self.unread.extend_from_slice(&piece[..count]);
        Ok(count)
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        match self.fill()? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The next head with its blank line, as it came; `None` where the connection ended before it was whole.
    pub fn head(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut searched = 0;
        loop {
            if let Some(end) = find(&self.unread[searched..], b"\r\n\r\n") {
                return Ok(Some(self.taken(searched + end + 4)));
            }
            searched = self.unread.len().saturating_sub(3);
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next line without its end.
    pub fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.unread, b"\r\n") {
                let line = self.taken(end + 2);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.fill_or_fail()?;
        }
    }

    /// At least one and at most `most` bytes.
    pub fn some(&mut self, most: usize) -> io::Result<Vec<u8>> {
        if self.unread.is_empty() {
            self.fill_or_fail()?;
        }
        Ok(self.taken(most.min(self.unread.len())))
    }

    /// The size of the next chunk; after the last one its trailers are read too.
    pub fn chunk_size(&mut self) -> io::Result<usize> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("chunk size {line:?}: {error}"))
        })?;
        if size == 0 {
            while !self.line()?.is_empty() {}
        }
        Ok(size)
    }

    /// What stands behind each chunk.
    pub fn chunk_end(&mut self) -> io::Result<()> {
        match self.line()?.as_str() {
            "" => Ok(()),
            more => Err(io::Error::new(io::ErrorKind::InvalidData, format!("behind a chunk: {more:?}"))),
        }
    }

    /// Waits so long; fails as soon as the other side has ended its sending.
    pub fn wait(&mut self, wait: Duration) -> io::Result<()> {
        let until = Instant::now() + wait;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.stream.set_read_timeout(Some(left))?;
            let came = self.fill();
            self.stream.set_read_timeout(None)?;
            match came {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn taken(&mut self, count: usize) -> Vec<u8> {
        let rest = self.unread.split_off(count);
        std::mem::replace(&mut self.unread, rest)
    }
}

/// Whether a read merely took too long.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A head's first line and its fields.
pub fn parse_head(head: &[u8]) -> (String, Fields) {
    let text: String = head.iter().map(|&byte| char::from(byte)).collect();
    let mut lines = text.trim_end_matches("\r\n").split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines.map(|line| line.split_once(':').unwrap_or((line, "")));
    (first, fields.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect())
}

/// The first field of that name (in lower case).
pub fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
}

/// `bytes` as one chunk.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// What ends a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
