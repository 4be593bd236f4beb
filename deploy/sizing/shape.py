"""The shape of a model: what its config.json says about its layers, and what follows for weights and KV cache.

Handled are decoders whose layers are all alike: full attention (also with grouped heads) and either one feed-forward
block or a mixture of experts in each. Anything else is refused by name, because the formulas would be wrong for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class UnsupportedError(ValueError):
    """A model whose memory these formulas do not describe; the message says which part of it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a decoder as config.json has them; `experts` is 0 in a dense model."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    tied: bool
    max_context: int
    experts: int = 0
    experts_per_token: int = 0

    def linear_values(self) -> int:
        """Values in the matrices of all layers: what quantisation makes smaller."""
        attention = self.hidden * self.head_dim * 2 * (self.heads + self.kv_heads)
        feed_forward = 3 * self.hidden * self.intermediate * max(self.experts, 1)
        return self.layers * (attention + feed_forward)

    def plain_values(self) -> int:
        """Values that 4- and 8-bit builds leave at 16 bits: embedding, output head, the experts' routers."""
        tables = self.vocab * self.hidden * (1 if self.tied else 2)
        return tables + self.layers * self.hidden * self.experts

    def kv_bytes_per_token(self, value_bytes: int) -> int:
        """Bytes of KV cache for one token: a key and a value for each KV head of each layer."""
        return 2 * self.layers * self.kv_heads * self.head_dim * value_bytes

    def activation_values_per_token(self) -> int:
        """Values alive for one token of a batch at the widest place of a layer: gate, up and product; the stream."""
        active = max(self.experts_per_token, 1)
        return 3 * active * self.intermediate + (4 + self.experts_per_token) * self.hidden


# Keys of config.json that tell of layers with another kind of memory.
_FOREIGN = {
    "kv_lora_rank": "MLA (a compressed KV cache)",
    "full_attention_interval": "hybrid layers (linear and full attention)",
    "linear_num_value_heads": "hybrid layers (linear attention)",
    "hybrid_override_pattern": "hybrid layers (Mamba and attention)",
    "ssm_cfg": "state space layers",
    "mamba_d_state": "hybrid layers (Mamba)",
    "text_config": "a model of several parts (vision or sound beside the text)",
    "first_k_dense_replace": "layers that are not all alike (some dense, some of experts)",
    "mlp_only_layers": "layers that are not all alike (some dense, some of experts)",
    "shared_expert_intermediate_size": "shared experts",
}


def _refuse_foreign(config: Mapping[str, Any]) -> None:
    for key, what in _FOREIGN.items():
        if config.get(key):
            raise UnsupportedError(f"{key}: {what}: out of scope here, take the figures that vLLM logs at its start")
    others = sorted({str(kind) for kind in config.get("layer_types") or []} - {"full_attention"})
    if others:
        raise UnsupportedError(f"layer_types: {', '.join(others)}: out of scope here, take the figures that vLLM logs")
    if config.get("sliding_window") and config.get("use_sliding_window", True):
        raise UnsupportedError(
            "sliding_window: the cache does not grow with the context in these layers: out of scope here"
        )


def _number(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnsupportedError(
            f"{key}: expected a whole number of at least 1, found {value!r}: is this a model's config.json?"
        )
    return value


def from_config(config: Mapping[str, Any]) -> Shape:
    """Reads a parsed config.json. Raises UnsupportedError for a model that the formulas do not describe."""
    _refuse_foreign(config)
    hidden, heads = _number(config, "hidden_size"), _number(config, "num_attention_heads")
    expert_key = "num_experts" if config.get("num_experts") else "num_local_experts"
    experts = int(config.get(expert_key) or 0)
    return Shape(
        layers=_number(config, "num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        intermediate=_number(config, "moe_intermediate_size" if experts else "intermediate_size"),
        vocab=_number(config, "vocab_size"),
        tied=bool(config.get("tie_word_embeddings", False)),
        max_context=_number(config, "max_position_embeddings"),
        experts=experts,
        experts_per_token=_number(config, "num_experts_per_tok") if experts else 0,
    )
