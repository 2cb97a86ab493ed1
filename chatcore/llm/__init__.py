"""Language models: providers, models, deployments, routing."""
