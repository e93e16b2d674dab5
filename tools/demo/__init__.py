"""The parts of the demonstration that tools/demo.py runs."""
