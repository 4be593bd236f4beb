"""A checkpoint of random weights that the package's own `from_local` loads: a small one, which is quick.

    python real/checkpoint.py FOLDER

The package has its sizes in tables and constructors, not in the checkpoint: so `shrink` must run in every process
that loads one, before it does. Everything else of the package is as it was installed.
"""

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

BASE = 50_257  # entries of GPT-2's vocabulary; the last one ends a text
TAGS = (
    "angry, fear, surprised, whispering, advertisement, dramatic, narration, crying, happy, sarcastic, "
    "clear throat, sigh, shush, cough, groan, sniff, gasp, chuckle, laugh"
).split(", ")
END = "<|endoftext|>"
STOP = 0.03  # the chance that a speech token is the last one: a piece has about 33, a second and a third of sound


def shrink() -> None:
    """One layer where the model has many; the shapes between its parts stay."""
    import s3tokenizer.model_v2
    from chatterbox.models.s3gen import s3gen
    from chatterbox.models.t3.llama_configs import LLAMA_CONFIGS

    language = LLAMA_CONFIGS["GPT2_medium"]
    language.update(n_layer=1, n_head=2, n_embd=64, hidden_size=64, n_positions=2048)
    listener = s3tokenizer.model_v2.S3TokenizerV2.__init__.__defaults__[0]
    listener.n_audio_layer, listener.n_audio_state, listener.n_audio_head = 1, 128, 2
    _smaller(s3gen, "UpsampleConformerEncoder", num_blocks=1, linear_units=64)
    _smaller(s3gen, "ConditionalDecoder", n_blocks=1, num_mid_blocks=1, num_heads=1)
    _smaller(s3gen, "HiFTGenerator", base_channels=64)


def _smaller(module: Any, name: str, **sizes: int) -> None:
    """The constructor of that name, with these sizes whatever it is called with."""
    build: Callable[..., Any] = getattr(module, name)

    def built(*positional: Any, **named: Any) -> Any:
        return build(*positional, **{**named, **sizes})

    setattr(module, name, built)


def make(folder: Path) -> None:
    """Writes weights and tokenizer; `shrink` must have run."""
    from chatterbox.models.s3gen import S3Gen
    from chatterbox.models.voice_encoder import VoiceEncoder

    torch.manual_seed(20)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"ve": VoiceEncoder(), "t3_turbo_v1": _language_model(), "s3gen_meanflow": S3Gen(meanflow=True)}
    for name, part in parts.items():
        values = {key: _half(value) for key, value in part.state_dict().items()}
        save_file(values, folder / f"{name}.safetensors")
    _tokenizer(folder)


def _half(value: Any) -> Any:
    """In half precision, as a tensor of its own."""
    return (value.half() if value.is_floating_point() else value).contiguous().clone()


def _language_model() -> Any:
    """Its outputs are nearly all the same, but for the stop token: so it speaks noise, and ends."""
    from chatterbox.models.t3 import T3
    from chatterbox.models.t3.modules.t3_config import T3Config

    config = T3Config(text_tokens_dict_size=BASE + len(TAGS))
    for name, value in {
        "llama_config_name": "GPT2_medium",
        "speech_tokens_dict_size": 6563,
        "input_pos_emb": None,
        "speech_cond_prompt_len": 375,
        "use_perceiver_resampler": False,
        "emotion_adv": False,
    }.items():
        setattr(config, name, value)
    model = T3(config)
    with torch.no_grad():
        model.speech_head.weight.mul_(0.01)
        model.speech_head.bias.zero_()
        # the sampler keeps 1,000 tokens at temperature 0.8
        model.speech_head.bias[config.stop_speech_token] = 0.8 * math.log(1000 * STOP / (1 - STOP))
    return model


def _tokenizer(folder: Path) -> None:
    """GPT-2's, byte by byte, without merges; entries that stand for nothing fill it up to its size."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = [chr(byte) for byte in printable] + [chr(0x100 + number) for number in range(len(others))]
    fillers = [f"\u0100unused{number}" for number in range(256, BASE - 1)]
    vocabulary = {symbol: number for number, symbol in enumerate([*symbols, *fillers, END])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    plain = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": False}
    tags = {str(BASE + number): {"content": f"[{tag}]", **plain} for number, tag in enumerate(TAGS)}
    config = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024, "add_prefix_space": False}
    config |= {"bos_token": END, "eos_token": END, "unk_token": END, "added_tokens_decoder": tags}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    shrink()
    make(Path(sys.argv[1]))
