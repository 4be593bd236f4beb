"""From a text to the pieces that are spoken one after another. Pure."""
