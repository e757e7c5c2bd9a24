"""A contract per kind of component, each a class of tests to derive from; `aesalign_core.testing` has them all."""
