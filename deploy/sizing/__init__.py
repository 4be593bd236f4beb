"""What of a language model fits on a card under vLLM: the arithmetic behind `deploy/fit` and docs/models.md."""
