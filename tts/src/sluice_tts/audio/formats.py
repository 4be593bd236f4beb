"""The formats of OpenAI's `response_format`, and what each is made with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """One `response_format`."""

    name: str
    content_type: str
    container: str | None = None  # as ffmpeg calls it; None: written here, without an encoder
    codec: str = ""
    bit_rate: int | None = None  # bits a second; None: lossless
    options: tuple[tuple[str, str], ...] = ()  # of the container


# The bit rates are for one voice at 24 kHz.
FORMATS = {
    made.name: made
    for made in (
        # without the Xing header, which is written last and to the front: a stream has no way back
        Format("mp3", "audio/mpeg", "mp3", "libmp3lame", 64_000, (("write_xing", "0"), ("id3v2_version", "0"))),
        Format("opus", "audio/ogg", "ogg", "libopus", 32_000, (("page_duration", "200000"),)),
        # at 64 and 96 kbit/s ffmpeg's own encoder made a peak of 0.76 of the first wave of a tone of 0.41
        Format("aac", "audio/aac", "adts", "aac", 128_000),
        Format("flac", "audio/flac", "flac", "flac"),
        Format("wav", "audio/wav"),
        Format("pcm", "audio/pcm"),
    )
}
