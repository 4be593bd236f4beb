"""The model's weights: downloaded once with a token, afterwards read without the network."""
