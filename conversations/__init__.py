"""The product: conversations, messages, replies. Knows neither external nor agents."""
