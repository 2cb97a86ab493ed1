"""What the web pages show, put together: the thread, the list beside it, the models to choose from."""
