"""One thread that speaks, and what stands in line for it."""
