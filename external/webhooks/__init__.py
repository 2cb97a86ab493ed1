"""Webhooks: what happens in a workspace is told to addresses outside, signed, at least once, each by itself.

`dispatch` turns events into deliveries, `claims` hands them out, `sending` sends, `outcomes` writes what came of it;
`service` does all of that in every worker.
"""
