//! Speech without a voice: a WAV file with one short note a word.

/// Samples a second, one channel of 16 bits each: what Chatterbox gives.
const RATE: u32 = 24_000;
/// Samples of a note: 0.15 s.
const NOTE: u32 = RATE * 3 / 20;
/// Notes at most: 9 s, however long the text.
const MOST: usize = 60;
/// Pitches in Hz, a pentatonic scale; a word's length picks its note.
const SCALE: [u32; 5] = [220, 247, 277, 330, 370];
/// Loudest sample, a quarter of what 16 bits hold.
const PEAK: i64 = 8_192;

/// The file for a text: a header of 44 bytes, then the samples.
pub(super) fn wav(text: &str) -> Vec<u8> {
    let words = text.split_whitespace().map(|word| word.chars().count());
    // a text without words still gives a sound: an empty file is no valid answer
    let notes = words.chain(text.trim().is_empty().then_some(0)).take(MOST);
    let samples: Vec<u8> = notes.flat_map(note).flat_map(i16::to_le_bytes).collect();
    let mut file = header(u32::try_from(samples.len()).unwrap_or(u32::MAX));
    file.extend_from_slice(&samples);
    file
}

/// A triangle wave that fades out, so that notes do not click.
fn note(length: usize) -> impl Iterator<Item = i16> {
    let pitch = SCALE.get(length % SCALE.len()).copied().unwrap_or(SCALE[0]);
    (0..NOTE).map(move |sample| {
        let phase = i64::from(sample * pitch % RATE);
        let quarter = i64::from(RATE / 4);
        // up from -1 to 1 in the first half of the period, down in the second, in units of a quarter period
        let wave = (phase - 2 * quarter).abs() - quarter;
        let loudness = PEAK * i64::from(NOTE - sample) / i64::from(NOTE);
        i16::try_from(wave * loudness / quarter).unwrap_or(0)
    })
}

/// A RIFF header for so many bytes of 16-bit mono samples.
fn header(bytes: u32) -> Vec<u8> {
    let mut header = Vec::with_capacity(44);
    header.extend_from_slice(b"RIFF");
    header.extend_from_slice(&bytes.saturating_add(36).to_le_bytes());
    header.extend_from_slice(b"WAVEfmt ");
    header.extend_from_slice(&16_u32.to_le_bytes());
    header.extend_from_slice(&1_u16.to_le_bytes()); // PCM
    header.extend_from_slice(&1_u16.to_le_bytes()); // channels
    header.extend_from_slice(&RATE.to_le_bytes());
    header.extend_from_slice(&(RATE * 2).to_le_bytes()); // bytes a second
    header.extend_from_slice(&2_u16.to_le_bytes()); // bytes a frame
    header.extend_from_slice(&16_u16.to_le_bytes()); // bits a sample
    header.extend_from_slice(b"data");
    header.extend_from_slice(&bytes.to_le_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(file: &[u8], at: usize) -> usize {
        u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize
    }

    #[test]
    fn the_header_tells_the_truth() {
        let file = wav("good evening");
        assert_eq!(&file[..4], b"RIFF");
        assert_eq!(number(&file, 4), file.len() - 8);
        assert_eq!(number(&file, 40), file.len() - 44);
        assert_eq!(number(&file, 28), number(&file, 24) * 2);
    }

    #[test]
    fn the_length_follows_the_text() {
        let note = NOTE as usize * 2;
        assert_eq!(wav("one").len(), 44 + note);
        assert_eq!(wav("one two three").len(), 44 + 3 * note);
        assert_eq!(wav("").len(), 44 + note);
        assert_eq!(wav(&"word ".repeat(10_000)).len(), 44 + MOST * note);
    }

    #[test]
    fn it_is_not_silent_and_not_clipped() {
        let loudest = note(3).map(|sample| i64::from(sample).abs()).max().unwrap();
        assert!(loudest > PEAK * 9 / 10 && loudest <= PEAK, "{loudest}");
        assert_eq!(note(3).last().map(|sample| sample / 100), Some(0));
    }
}
