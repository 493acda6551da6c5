// Chance: tags, first sequence numbers, jitter; from a seed if the harness gave one.
// Written from docs/agents.md (seed) and docs/protocol.md 4 (tags).

import { NONE } from "./numbers.mjs";

export const random = {
  state: null, // none: from the system
  word() {
    if (this.state === null) return crypto.getRandomValues(new BigUint64Array(1))[0];
    const all = 0xffffffffffffffffn; // SplitMix64
    this.state = (this.state + 0x9e3779b97f4a7c15n) & all;
    let z = this.state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & all;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & all;
    return z ^ (z >> 31n);
  },
  seed(number) {
    this.state = number === null ? null : BigInt.asUintN(64, BigInt(number) ^ 0x6d70776972656a73n);
  },
  tag() {
    const drawn = this.word().toString(16).padStart(16, "0");
    return drawn === NONE ? this.tag() : drawn;
  },
  number() {
    return Number(this.word() & 0xffffffffn);
  },
  bit() {
    return (this.word() & 1n) === 1n;
  },
  between(low, high) {
    return low + ((high - low) * Number(this.word() >> 11n)) / 2 ** 53;
  },
};
