"""Agents of the content domain: posts for social platforms, from first draft to what they brought."""
