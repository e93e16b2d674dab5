"""The modules of tools/network.py."""
