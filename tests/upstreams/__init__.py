"""Fake model providers that speak real wire protocols over HTTP on loopback, and break as planned."""
