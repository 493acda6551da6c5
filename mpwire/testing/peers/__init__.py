"""Endpoints that share no code with the reference one.

- `leaf.mjs`: a small leaf in JavaScript, written from docs/protocol.md and docs/agents.md alone
- `javascript`: starts it, with the Node that is found: `python -m mpwire.testing.peers.javascript`
"""
