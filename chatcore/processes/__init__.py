"""What runs when Chatcore runs: the web server, the job loop, and the order they start and stop in."""
