"""Where scenes come from: one module per source."""
