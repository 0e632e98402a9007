"""Where changes go: one module per sink, each the only importer of its driver."""
