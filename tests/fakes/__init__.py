"""Providers on loopback, built on their published descriptions: real HTTP, no real provider."""
