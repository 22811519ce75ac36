"""The command line ``prism``."""
