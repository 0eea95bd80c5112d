"""The command line, thin over the same facade that programs use."""
