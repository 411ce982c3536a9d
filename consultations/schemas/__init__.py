"""What the API says about calls, and what it is told."""
