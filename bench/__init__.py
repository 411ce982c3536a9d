"""Benchmarks, each one command, each beside a limit. Figures are printed and, but for gas, never asserted in tests: see README.md."""
