"""Writes a tiny Llama with random weights that has Qwen's vocabulary and one of Qwen's chat templates.

What it says is nonsense, in many scripts; that is of use: characters come in pieces over several tokens. Vocabulary and
templates are files of the packages in carried.txt, which are not imported. The weights are seeded: a model made again
is the same model.
"""

import argparse
import importlib.util
import pathlib

import torch
from tokenizers import AddedToken, Tokenizer, normalizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import TikTokenConverter

# How the Qwen family splits a text before its pairs are merged; each digit stands alone.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
# One token each, and part of the text: of Qwen 2.5, and what Qwen 3 has besides.
TOOL_WORDS = ("<tool_call>", "</tool_call>")
LATER_WORDS = ("<tool_response>", "</tool_response>", "<think>", "</think>")
SEED = 20_250_801


def carried(package: str, path: str) -> pathlib.Path:
    """A file of an installed package, found without running the package."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is not installed: tools/vllm/setup installs it")
    return pathlib.Path(found.origin).parent / path


def tokenizer(template: str, context: int) -> PreTrainedTokenizerFast:
    """Qwen's vocabulary with a template's name as trl calls it."""
    vocabulary = carried("dashscope", "resources/qwen.tiktoken")
    made: Tokenizer = TikTokenConverter(vocab_file=str(vocabulary), pattern=SPLIT).converted()
    made.normalizer = normalizers.NFC()
    made.add_special_tokens([AddedToken(word, normalized=False, special=True) for word in SPECIAL])
    words = TOOL_WORDS + (() if template.startswith("qwen2") else LATER_WORDS)
    made.add_tokens([AddedToken(word, normalized=False) for word in words])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|endoftext|>", model_max_length=context
    )
    fast.chat_template = carried("trl", f"chat_templates/{template}.jinja").read_text()
    return fast


def model(words: PreTrainedTokenizerFast, context: int) -> LlamaForCausalLM:
    """Two layers of width 64. The output has weights of its own: tied ones would repeat the last token for ever."""
    torch.manual_seed(SEED)
    size = -(-len(words) // 64) * 64
    config = LlamaConfig(
        vocab_size=size, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=32, max_position_embeddings=context, tie_word_embeddings=False,
        initializer_range=0.1, bos_token_id=None, eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id,
    )
    return LlamaForCausalLM(config)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--template", required=True, help="a chat template of the package trl, such as qwen2_5")
    parser.add_argument("--context", type=int, required=True, help="tokens of prompt and output")
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    words = tokenizer(options.template, options.context)
    words.save_pretrained(options.folder)
    model(words, options.context).to(torch.float32).save_pretrained(options.folder)


if __name__ == "__main__":
    main()
