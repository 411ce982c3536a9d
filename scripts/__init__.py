"""What stands behind ./run: setting up, serving, and checking the project."""
