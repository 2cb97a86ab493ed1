"""What models are used for: the ledger of calls, their prices, budgets, and daily totals."""
