"""Ways in which integrations prove who they are besides keys: signed requests, tokens of others, your own class."""
