//! The reader of the chunked coding: any pieces give the same, and what it takes for whole `httparse` measures
//! alike, chunk by chunk.

use sluice::wire::{ChunkFault, Chunked};

use super::pieces;

/// What came of a body: so many bytes used up, whether it has ended, and the bytes.
#[derive(Debug, PartialEq)]
struct Read {
    consumed: usize,
    done: bool,
    body: Vec<u8>,
}

/// Checks these bytes as a coded body, and as one that is yet to be coded.
pub fn check(bytes: &[u8]) {
    let whole = read(&[bytes]);
    for pieces in pieces::ways(bytes) {
        assert_eq!(read(&pieces), whole, "in {} pieces", pieces.len());
    }
    if let Ok(Read { consumed, done, body }) = whole {
        assert!(consumed <= bytes.len() && body.len() <= consumed);
        if done {
            assert_eq!(elsewhere(bytes), Some((consumed, body)), "another reader");
        }
    }
    coded_and_back(bytes);
}

/// As the connection's buffer is read: what is not used up comes again, with more behind it.
fn read(pieces: &[&[u8]]) -> Result<Read, ChunkFault> {
    let (mut decoder, mut body, mut buffer) = (Chunked::default(), Vec::new(), Vec::new());
    let (mut consumed, mut done) = (0, false);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let progress = decoder.feed(&buffer, &mut body)?;
        buffer.drain(..progress.consumed);
        consumed += progress.consumed;
        done = progress.done;
    }
    Ok(Read { consumed, done, body })
}

/// The length and the body of what is known to be whole, by `httparse`; trailers by their lines.
fn elsewhere(bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
    let (mut at, mut body) = (0, Vec::new());
    loop {
        let httparse::Status::Complete((line, size)) = httparse::parse_chunk_size(&bytes[at..]).ok()? else {
            return None;
        };
        at += line;
        if size == 0 {
            break;
        }
        let end = at + usize::try_from(size).ok()?;
        body.extend_from_slice(bytes.get(at..end)?);
        at = end + bytes.get(end..)?.starts_with(b"\r\n").then_some(2)?;
    }
    loop {
        let length = bytes[at..].windows(2).position(|pair| pair == b"\r\n")?;
        at += length + 2;
        if length == 0 {
            return Some((at, body));
        }
    }
}

/// Any body, in any chunks, comes out as it went in; what follows it stays.
fn coded_and_back(body: &[u8]) {
    for chunks in pieces::ways(body) {
        let mut coded = Vec::new();
        for chunk in chunks.into_iter().filter(|chunk| !chunk.is_empty()) {
            coded.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            coded.extend_from_slice(chunk);
            coded.extend_from_slice(b"\r\n");
        }
        coded.extend_from_slice(b"0\r\n\r\n");
        let consumed = coded.len();
        coded.extend_from_slice(body);
        let wanted = Read { consumed, done: true, body: body.to_vec() };
        assert_eq!(read(&[&coded]), Ok(wanted));
    }
}
