"""The project package: the roof (settings, urls, asgi, api) and the floor every app stands on."""
