//! A strict decoder of the chunked coding: bytes in any pieces, the body out.
//!
//! RFC 9112 section 7.1, without its tolerances: a size is one to eight hex digits, a line ends with
//! CRLF, nothing stands between a chunk and its CRLF. Extensions and trailers are read and dropped.

use memchr::memchr;

/// The state of one body.
#[derive(Debug, Clone, Default)]
pub struct Chunked {
    state: State,
    /// Bytes of size lines and trailers that no body byte has paid for.
    overhead: usize,
}

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Size,
    Data(usize),
    DataEnd,
    Trailer,
    Done,
}

/// Why the framing is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkFault {
    /// The size line is not `1*8HEXDIG [extension] CRLF`.
    #[error("a chunk's size line is malformed")]
    Size,
    /// A chunk is not followed by CRLF.
    #[error("a chunk is not followed by a line end")]
    End,
    /// A trailer line is malformed.
    #[error("the trailer of the chunked body is malformed")]
    Trailer,
    /// Size lines, extensions or trailers outgrow their bound.
    #[error("the chunked framing carries too many bytes that are not body")]
    Overhead,
}

/// What one call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the input that were used up.
    pub consumed: usize,
    /// Whether the body has ended.
    pub done: bool,
}

impl Chunked {
    /// Takes what it can from `input`, appends body bytes to `body`.
    ///
    /// # Errors
    /// A [`ChunkFault`] when the framing is not exactly as it must be.
    pub fn feed(&mut self, input: &[u8], body: &mut Vec<u8>) -> Result<Progress, ChunkFault> {
        let mut at = 0;
        loop {
            let rest = input.get(at..).unwrap_or_default();
            let used = match self.state {
                State::Size => self.size_line(rest)?,
                State::Data(left) => self.data(rest, left, body),
                State::DataEnd => self.data_end(rest)?,
                State::Trailer => self.trailer_line(rest)?,
                State::Done => return Ok(Progress { consumed: at, done: true }),
            };
            match used {
                Some(used) => at += used,
                None => return Ok(Progress { consumed: at, done: false }),
            }
        }
    }

    fn size_line(&mut self, rest: &[u8]) -> Result<Option<usize>, ChunkFault> {
        let Some(line) = line(rest, MAX_SIZE_LINE, ChunkFault::Size)? else { return Ok(None) };
        self.spend(line.len() + 2)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extension) = line.split_at(digits);
        if digits.is_empty() || digits.len() > 8 || !is_extension(extension) {
            return Err(ChunkFault::Size);
        }
        let size = digits.iter().fold(0_usize, |size, digit| size * 16 + hex_value(*digit));
        self.state = if size == 0 { State::Trailer } else { State::Data(size) };
        Ok(Some(line.len() + 2))
    }

    fn data(&mut self, rest: &[u8], left: usize, body: &mut Vec<u8>) -> Option<usize> {
        let taken = rest.get(..left).unwrap_or(rest);
        if taken.is_empty() {
            return None;
        }
        body.extend_from_slice(taken);
        self.state = if taken.len() == left { State::DataEnd } else { State::Data(left - taken.len()) };
        Some(taken.len())
    }

    fn data_end(&mut self, rest: &[u8]) -> Result<Option<usize>, ChunkFault> {
        match rest {
            [] | [b'\r'] => Ok(None),
            [b'\r', b'\n', ..] => {
                self.spend(2)?;
                self.state = State::Size;
                Ok(Some(2))
            }
            _ => Err(ChunkFault::End),
        }
    }

    fn trailer_line(&mut self, rest: &[u8]) -> Result<Option<usize>, ChunkFault> {
        let Some(line) = line(rest, MAX_OVERHEAD, ChunkFault::Trailer)? else { return Ok(None) };
        self.spend(line.len() + 2)?;
        if line.is_empty() {
            self.state = State::Done;
        } else if !line.contains(&b':') || line.starts_with(b" ") || line.starts_with(b"\t") {
            return Err(ChunkFault::Trailer);
        }
        Ok(Some(line.len() + 2))
    }

    /// Counts framing bytes; every chunk pays for a short size line of its own, so that a body in
    /// one-byte chunks passes and endless extensions do not.
    fn spend(&mut self, bytes: usize) -> Result<(), ChunkFault> {
        self.overhead += bytes.saturating_sub(FREE_PER_LINE);
        if self.overhead > MAX_OVERHEAD { Err(ChunkFault::Overhead) } else { Ok(()) }
    }
}

/// The line before the first CRLF, or `None` while it is not there yet.
fn line(rest: &[u8], longest: usize, fault: ChunkFault) -> Result<Option<&[u8]>, ChunkFault> {
    let Some(end) = memchr(b'\n', rest) else {
        // Its CR may be there before its LF.
        return if rest.len() > longest + 1 { Err(fault) } else { Ok(None) };
    };
    let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(fault)?;
    let clean = line.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f));
    if line.len() > longest || !clean { Err(fault) } else { Ok(Some(line)) }
}

fn is_extension(rest: &[u8]) -> bool {
    rest.is_empty() || rest.starts_with(b";")
}

fn hex_value(digit: u8) -> usize {
    usize::from(match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A') + 10,
    })
}

/// A size line with its extension.
const MAX_SIZE_LINE: usize = 256;
/// Framing that a line may have for nothing: eight digits and CRLF.
const FREE_PER_LINE: usize = 10;
/// Extensions and trailers together, over the whole body.
const MAX_OVERHEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(input: &[u8]) -> Result<(Vec<u8>, Progress), ChunkFault> {
        let mut body = Vec::new();
        let progress = Chunked::default().feed(input, &mut body)?;
        Ok((body, progress))
    }

    #[test]
    fn a_body_comes_out_whole_and_what_follows_stays() {
        let (body, progress) = decode(b"4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\nT: v\r\n\r\nGET").unwrap();
        assert_eq!(body, b"abcdef");
        assert!(progress.done, "the body has ended");
        assert_eq!(progress.consumed, 31, "only the body's framing is used up");
    }

    #[test]
    fn anything_that_is_not_exactly_the_coding_is_refused() {
        for (input, fault) in [
            (&b"\r\n"[..], ChunkFault::Size),
            (b"g\r\n", ChunkFault::Size),
            (b"0x4\r\n", ChunkFault::Size),
            (b" 4\r\n", ChunkFault::Size),
            (b"4 \r\nabcd", ChunkFault::Size),
            (b"+4\r\n", ChunkFault::Size),
            (b"123456789\r\n", ChunkFault::Size),
            (b"4\nabcd", ChunkFault::Size),
            (b"4;\0\r\n", ChunkFault::Size),
            (b"4\r\nabcde", ChunkFault::End),
            (b"4\r\nabcd\n", ChunkFault::End),
            (b"0\r\nnocolon\r\n\r\n", ChunkFault::Trailer),
            (b"0\r\n folded: x\r\n\r\n", ChunkFault::Trailer),
        ] {
            assert_eq!(decode(input).unwrap_err(), fault, "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn the_longest_size_line_is_taken_wherever_it_is_cut() {
        let longest = [b"1;", [b'x'; MAX_SIZE_LINE - 2].as_slice(), b"\r\na\r\n0\r\n\r\n"].concat();
        for cut in 0..longest.len() {
            let (mut decoder, mut body) = (Chunked::default(), Vec::new());
            let taken = decoder.feed(&longest[..cut], &mut body).unwrap().consumed;
            assert!(decoder.feed(&longest[taken..], &mut body).unwrap().done, "cut at {cut}");
            assert_eq!(body, b"a");
        }
        let longer = [b"1;", [b'x'; MAX_SIZE_LINE].as_slice()].concat();
        assert_eq!(decode(&longer).unwrap_err(), ChunkFault::Size);
    }

    #[test]
    fn endless_extensions_are_refused() {
        let input = [b"1;".as_slice(), &[b'x'; 200], b"\r\na\r\n"].concat().repeat(200);
        assert_eq!(decode(&input).unwrap_err(), ChunkFault::Overhead);
    }

    proptest! {
        #[test]
        fn any_chunking_and_any_split_give_the_same_body(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..20),
            splits in prop::collection::vec(1_usize..40, 1..20),
        ) {
            let mut coded = Vec::new();
            for piece in &pieces {
                coded.extend_from_slice(format!("{:X}\r\n", piece.len()).as_bytes());
                coded.extend_from_slice(piece);
                coded.extend_from_slice(b"\r\n");
            }
            coded.extend_from_slice(b"0\r\n\r\n");
            let (mut decoder, mut body, mut pending) = (Chunked::default(), Vec::new(), Vec::new());
            let (mut at, mut turn, mut done) = (0, 0, false);
            while at < coded.len() {
                let end = (at + splits[turn % splits.len()]).min(coded.len());
                pending.extend_from_slice(&coded[at..end]);
                let progress = decoder.feed(&pending, &mut body).unwrap();
                pending.drain(..progress.consumed);
                (at, turn, done) = (end, turn + 1, progress.done);
            }
            prop_assert!(done && pending.is_empty());
            prop_assert_eq!(body, pieces.concat());
        }

        #[test]
        fn no_bytes_make_it_panic(input in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&input);
        }
    }
}
