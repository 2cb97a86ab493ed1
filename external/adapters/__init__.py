"""Vendors' adapters: how their messages come in and replies go out. One file each, all of the same shape."""
