"""All interleavings of small sessions of the real machines (docs/exploration.md).

- `scenarios` (start here), `crossings`, `crowds`: the sessions, and their bounds; `casting`: what a
  scenario is; `acts`: what applications do in them
- `moves`, `walk`: states and moves; `search`: all of them, and the shortest way to one that must
  not be
- `invariants`: what must hold; `telling`: a counterexample as people read it
- `kit`, `party`: one host, a real provider with its application; `snapshot`: its state as a value
- `patches`: rules of ours, broken one at a time, each of which must be refuted

`python -m mpwire.testing.explore` runs them.
"""
