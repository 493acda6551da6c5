// Time: the timers of a leaf, and how long each is.
// Written from docs/protocol.md 6.1 (TIMERS) and 10 (timers).

import { random } from "./chance.mjs";

// One datagram, one timer or one call at a time; after each the agent tells what it has changed.
export const turn = { done: () => {} };

export const now = () => performance.now() / 1000;

// One thing that happens later, once; never early, which setTimeout may be.
export class Timer {
  constructor(act) {
    this.act = act;
    this.due = null;
    this.handle = undefined;
  }

  get isSet() {
    return this.due !== null;
  }

  set(seconds) {
    this.stop();
    this.due = now() + seconds;
    this.#arm();
  }

  sooner(seconds) {
    if (!this.isSet || now() + seconds < this.due) this.set(seconds);
  }

  stop() {
    clearTimeout(this.handle);
    this.due = null;
  }

  #arm() {
    const expire = () => {
      if (now() < this.due) return this.#arm();
      this.due = null;
      this.act();
      return turn.done();
    };
    const waitMs = Math.max(0, this.due - now()) * 1000;
    this.handle = setTimeout(expire, Math.min(waitMs, 2 ** 31 - 1)); // more it cannot count
  }
}

export const DEFAULTS = {
  rto_initial_s: 1, rto_maximum_s: 16, keepalive_s: 20, dead_s: 45, pend_s: 180, linger_s: 40,
  drain_s: 6, poll_s: 5, cookie_life_s: 30, retransmissions: 5,
};
export const plan = { ...DEFAULTS };

export const rto = (copy) =>
  Math.min(plan.rto_initial_s * 2 ** (copy - 1), plan.rto_maximum_s) * random.between(0.9, 1.1);

// 6.1: what this endpoint announces of its timers
export function timersTlv() {
  const ms = (name) => Math.round(plan[name] * 1000);
  const made = Buffer.alloc(24);
  made.writeUInt16BE(ms("rto_initial_s"), 0);
  made.writeUInt16BE(ms("rto_maximum_s"), 2);
  ["keepalive_s", "dead_s", "pend_s", "linger_s"].forEach((name, index) => {
    made.writeUInt32BE(ms(name), 4 + 4 * index);
  });
  made.writeUInt16BE(ms("drain_s"), 20);
  made[22] = plan.retransmissions;
  made[23] = Object.keys(DEFAULTS).some((name) => plan[name] !== DEFAULTS[name]) ? 1 : 0;
  return made;
}
