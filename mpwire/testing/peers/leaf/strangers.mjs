// What belongs to nothing here earns at most one answer, and few of them.
// Written from docs/protocol.md 13 (out of the blue; R104), 9.4, 9.6, 9.7, 14 (versions).

import { encode, encodeVersions } from "./codec.mjs";
import { FLAG } from "./numbers.mjs";
import { now } from "./time.mjs";

const ANSWERS_AT_ONCE = 4; // R104: to one host; then one per second
const HOSTS = 4096;

export class Strangers {
  constructor(transmit) {
    this.transmit = transmit;
    this.answered = new Map(); // by host, the one that was silent for the longest time first
  }

  // `ends` are those that we have with this peer.
  take(m, from, ends) {
    const say = (name, tag, body, other = {}) => this.transmit(
      encode(name, { session: m.session, seq: m.seq, attempt: m.attempt, tag, ...other }, body),
      from,
    );
    if (m.name === "FOREIGN") return this.transmit(encodeVersions(m.initTag, m.session), from);
    if (m.name === "JOIN_REQ") return asked(m, ends, say);
    if (this.#limited(from.host)) return undefined;
    const told = { reason: 1, echoSeq: m.seq };
    switch (m.name) {
      case "CLOSE": case "CONFIRM": case "PROBE": case "MEMBER": case "SIDE": case "DATA":
        return say("ABORT", m.tag, told, { flags: FLAG.R });
      case "ACCEPT": return say("ABORT", m.respTag, told, { attempt: 1 });
      case "CANCEL": return say("CANCEL_ACK", m.initTag, { result: 1 });
      default: return undefined;
    }
  }

  #limited(host) {
    const time = now();
    const bucket = this.answered.get(host) ?? { tokens: ANSWERS_AT_ONCE, time };
    this.answered.delete(host);
    if (this.answered.size >= HOSTS) this.answered.delete(this.answered.keys().next().value);
    bucket.tokens = Math.min(ANSWERS_AT_ONCE, bucket.tokens + time - bucket.time);
    bucket.time = time;
    this.answered.set(host, bucket);
    if (bucket.tokens < 1) return true;
    bucket.tokens -= 1;
    return false;
  }
}

// Nobody listens here; only an invitation by whom we ask is looked at.
function asked(m, ends, say) {
  if (ends.some((end) => end.invitation?.initTag === m.initTag)) return undefined; // a copy (9.4)
  const asking = ends.find((end) => end.asks);
  if (asking && m.role === 1) return asking.invited(m);
  say("REJECT", m.initTag, { reason: 3 });
  return ends.forEach((end) => end.verify?.()); // 9.7: is the old membership still known there?
}
