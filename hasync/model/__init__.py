"""Values of the domain: frozen, pure, no I/O."""
