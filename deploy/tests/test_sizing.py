"""The calculator against what is known from outside: file sizes, and memory that vLLM logged on real cards."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from sizing import budget, catalogue, cli, weights
from sizing.budget import GIB, Card, Fit, Serving
from sizing.shape import UnsupportedError, from_config

QWQ_32B_AWQ: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 5120,
    "intermediate_size": 27648,
    "max_position_embeddings": 32768,
    "num_attention_heads": 40,
    "num_hidden_layers": 64,
    "num_key_value_heads": 8,
    "quantization_config": {"bits": 4, "group_size": 128, "quant_method": "awq", "zero_point": True},
    "sliding_window": None,
    "tie_word_embeddings": False,
    "use_sliding_window": False,
    "vocab_size": 152064,
}
"""The config.json of Orion-zhen/QwQ-32B-Preview-AWQ, the parts that matter."""


class Weights(unittest.TestCase):
    """Bytes of the weights."""

    def test_arithmetic_meets_the_published_files(self) -> None:
        measured = [build for build in catalogue.builds().values() if build.file_gb]
        self.assertGreaterEqual(len(measured), 6)
        for build in measured:
            with self.subTest(build.name):
                extra = 2 * build.shape.vocab * build.shape.hidden if build.file_has_head else 0
                ours = (build.bytes() + extra) / 1e9
                self.assertAlmostEqual(ours / (build.file_gb or 1), 1.0, delta=0.005)

    def test_arithmetic_meets_what_vllm_loaded(self) -> None:
        for name, gib in (("Qwen2.5-7B-Instruct-AWQ", 5.20), ("Qwen3-Coder-30B-A3B-Instruct-AWQ", 15.7)):
            with self.subTest(name):
                self.assertAlmostEqual(catalogue.build(name).bytes() / GIB, gib, delta=0.1)

    def test_a_name_of_a_quantisation_is_read_back(self) -> None:
        for name in ("bf16", "fp8", "int4-g128", "int8-g32"):
            self.assertEqual(weights.parse(name).name, name)
        for wrong in ("int3-g128", "int4", "int4-g0", "int4-gx", "q4_k_m", ""):
            with self.subTest(wrong), self.assertRaises(UnsupportedError):
                weights.parse(wrong)


class Config(unittest.TestCase):
    """What is taken from a config.json, and what is refused."""

    def test_a_real_one_gives_the_known_shape(self) -> None:
        self.assertEqual(from_config(QWQ_32B_AWQ), catalogue.build("Qwen2.5-Coder-32B-Instruct-AWQ").shape)
        self.assertEqual(weights.of_config(QWQ_32B_AWQ).name, "int4-g128")

    def test_experts_are_read(self) -> None:
        shape = from_config(
            QWQ_32B_AWQ | {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": 768, "head_dim": 128}
        )
        self.assertEqual((shape.experts, shape.experts_per_token, shape.intermediate), (128, 8, 768))

    def test_other_kinds_of_layers_are_refused_by_name(self) -> None:
        foreign: tuple[tuple[str, Any], ...] = (
            ("kv_lora_rank", 512),
            ("full_attention_interval", 4),
            ("layer_types", ["full_attention", "linear_attention"]),
            ("layer_types", ["sliding_attention", "full_attention"]),
            ("text_config", {"hidden_size": 1}),
            ("first_k_dense_replace", 1),
            ("hybrid_override_pattern", "M-M*"),
        )
        for key, value in foreign:
            with self.subTest(key), self.assertRaisesRegex(UnsupportedError, key):
                from_config(QWQ_32B_AWQ | {key: value})
        with self.assertRaisesRegex(UnsupportedError, "sliding_window"):
            from_config(QWQ_32B_AWQ | {"sliding_window": 4096, "use_sliding_window": True})
        with self.assertRaisesRegex(UnsupportedError, "num_hidden_layers"):
            from_config(QWQ_32B_AWQ | {"num_hidden_layers": "64"})

    def test_ways_of_storing_are_told_apart(self) -> None:
        def stored(settings: dict[str, Any] | None) -> str:
            return weights.of_config({"quantization_config": settings} if settings else {}).name

        scheme = {"num_bits": 4, "type": "int", "group_size": 32}
        self.assertEqual(stored(None), "bf16")
        self.assertEqual(stored({"quant_method": "fp8"}), "fp8")
        self.assertEqual(stored({"quant_method": "gptq", "bits": 8, "group_size": 128}), "int8-g128")
        groups = {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": scheme}}}
        self.assertEqual(stored(groups), "int4-g32")
        with self.assertRaisesRegex(UnsupportedError, "bitsandbytes"):
            stored({"quant_method": "bitsandbytes"})


LOGS: tuple[tuple[str, Card, Serving, float], ...] = (
    # A public start script for a 3090 under WSL2 notes what vLLM left for the cache.
    (
        "Qwen3-32B-AWQ",
        Card("", 24.0),
        Serving(32768, requests=1, eager=True, kv_value_bytes=1, utilization=0.94),
        3.20,
    ),
    ("Qwen3-32B-AWQ", Card("", 24.0), Serving(32768, requests=1, kv_value_bytes=1, utilization=0.93), 1.82),
    # vllm-project/vllm issue 13882: an RTX 4060 of 8 GB under WSL2.
    (
        "Qwen2.5-7B-Instruct-AWQ",
        Card("", 8.0),
        Serving(4096, requests=256, batch_tokens=4096, eager=True, utilization=0.7),
        -1.05,
    ),
)
"""Build, card, configuration, GiB that vLLM had for the KV cache. docs/models.md shows the same."""


class Budget(unittest.TestCase):
    """From the card to the answer."""

    def test_the_cache_is_near_what_vllm_logged(self) -> None:
        for name, card, serving, logged in LOGS:
            with self.subTest(name, eager=serving.eager):
                build = catalogue.build(name)
                answer = budget.fit(card, build.shape, build.bytes(), serving)
                self.assertAlmostEqual(answer.kv_gib, logged, delta=budget.ERROR_GIB)

    def test_kv_cache_of_a_token(self) -> None:
        for name, kib in (("Qwen2.5-3B-Instruct-AWQ", 36), ("Qwen3-Coder-30B-A3B-Instruct-AWQ", 96)):
            shape = catalogue.build(name).shape
            self.assertEqual(shape.kv_bytes_per_token(2), kib * 1024)
            self.assertEqual(shape.kv_bytes_per_token(1), kib * 512)

    def small(self, **changes: Any) -> Fit:
        """The fit of a 3B model on an RTX 3070 of its own, changed."""
        build = catalogue.build("Qwen2.5-3B-Instruct-AWQ")
        serving = Serving(**({"window": 16384, "requests": 8, "batch_tokens": 1024, "eager": True} | changes))
        return budget.fit(catalogue.card("rtx3070"), build.shape, build.bytes(), serving)

    def test_less_room_is_never_more_context(self) -> None:
        before = self.small().pool_tokens
        for beside in (1.0, 2.0, 3.6, 4.0):
            now = self.small(beside_gib=beside).pool_tokens
            self.assertLess(now, before)
            self.assertEqual(now % budget.BLOCK, 0)
            before = now

    def test_shares_that_do_not_add_up_are_told(self) -> None:
        self.assertTrue(self.small(beside_gib=3.6, utilization=0.6).verdict.startswith("no: the share"))
        self.assertEqual(self.small(beside_gib=3.6, utilization=0.49).verdict, "tight")
        self.assertEqual(self.small(beside_gib=7.8).verdict, "no")
        self.assertEqual(self.small().verdict, "fits")

    def test_the_plan_does_not_hold(self) -> None:
        """Seed: 14B in bfloat16 on 24 GB, 7B beside speech on 8 GB."""
        self.assertEqual(self.run_cli("Qwen2.5-Coder-14B-Instruct", "--utilization", "0.9")[0], 1)
        small = ("--card", "rtx3070", "--window", "8192", "--beside", "tts")
        self.assertEqual(self.run_cli("Qwen2.5-Coder-7B-Instruct", *small)[0], 1)

    def run_cli(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code and both outputs of the command."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(arguments)
            except SystemExit as stop:
                code = int(stop.code or 0)
        return code, out.getvalue(), err.getvalue()

    def test_the_command(self) -> None:
        code, out, _ = self.run_cli("Qwen3-14B-AWQ", "--json", "--card", "rtx3090")
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out)[0]["fit"]["kv_bytes_per_token"], 160 * 1024)
        self.assertIn("rtx3070", self.run_cli("--list")[1])
        for wrong in (("nothing",), (), ("Qwen3-14B-AWQ", "--card", "x"), ("--window", "0"), ("--table", "x")):
            with self.subTest(wrong):
                code, _, err = self.run_cli(*wrong)
                self.assertEqual(code, 2)
                self.assertTrue(err)

    def test_a_config_of_ones_own(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "config.json")
            path.write_text(json.dumps(QWQ_32B_AWQ))
            code, out, _ = self.run_cli("--config", str(path), "--window", "4096", "--json")
            self.assertEqual((code, json.loads(out)[0]["model"]), (0, str(path)))
            path.write_text("[1]")
            self.assertIn("no JSON object", self.run_cli("--config", str(path))[2])
            path.write_text("{")
            self.assertIn("cannot be read", self.run_cli("--config", str(path))[2])


if __name__ == "__main__":
    unittest.main()
