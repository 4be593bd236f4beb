"""A reference that nobody spoke: a buzzing tone with syllables. The warm-up needs one before there is any voice."""

import numpy as np

from sluice_tts.audio.sound import Samples
from sluice_tts.voices.check import RATE


def buzz(seconds: float = 6.0, pitch: float = 120.0, rate: int = RATE) -> Samples:
    """Harmonics of a gliding pitch in Hz, four syllables a second, and a little noise: it passes the checks."""
    time = np.arange(int(seconds * rate)) / rate
    glide = pitch * (1.0 + 0.15 * np.sin(2 * np.pi * 0.7 * time))
    phase = 2 * np.pi * np.cumsum(glide) / rate
    tone = sum(np.sin(number * phase) / number for number in range(1, 16))
    syllables = np.clip(np.sin(2 * np.pi * 4.0 * time), 0.0, None) + 0.02
    noise = 0.002 * np.random.default_rng(0).standard_normal(len(time))
    sound = tone * syllables + noise
    return np.asarray(0.5 * sound / np.abs(sound).max(), dtype=np.float32)
