"""Every write of an amendment, from proposing to being in force."""
