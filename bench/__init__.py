"""Benchmarks, each one command, each beside a limit. Figures are printed, never asserted in tests: see README.md."""
