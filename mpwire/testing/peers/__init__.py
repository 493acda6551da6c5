"""Endpoints that share no code with the reference one.

- `leaf/`: a small leaf in JavaScript, written from docs/protocol.md and docs/agents.md alone;
  it begins with `agent.mjs`, which says what each of its modules is for
- `javascript`: starts it, with the Node that is found: `python -m mpwire.testing.peers.javascript`
"""
