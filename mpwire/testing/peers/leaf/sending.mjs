// What we send to the root: window, pace, repair.
// Written from docs/protocol.md 11.1 to 11.4 (data, flow control, repair) and 11.8 (pace).

import { FIRST_WINDOW, ahead, plus } from "./numbers.mjs";
import { Timer, now, plan } from "./time.mjs";

const BURST = 32; // 11.8
const REPAIRS_AT_ONCE = 64; // 11.4

export class Sender {
  constructor(member, first, maxRate) {
    this.member = member;
    this.next = first; // the next that is submitted
    this.unsent = first; // everything from here on waits for the pace
    this.acked = first; // everything before it has arrived, as far as we were told
    this.limit = plus(first, FIRST_WINDOW);
    this.kept = new Map(); // by Seq: { payload, attempt }
    this.pace = new Pace(maxRate);
    this.syncs = { seq: null, attempt: 0, wait: 0 };
    this.sync = new Timer(() => this.#ask());
    this.departure = new Timer(() => this.#leave());
    this.timers = [this.sync, this.departure];
  }

  get waiting() {
    return ahead(this.unsent, this.next);
  }

  get roomy() {
    const windowed = !this.member.repaired || ahead(this.next, this.limit) > 0;
    return windowed && this.waiting < BURST;
  }

  submit(payload) {
    this.kept.set(this.next, { payload, attempt: 0 });
    this.next = plus(this.next, 1);
    this.#leave();
  }

  #leave() {
    const { member } = this;
    while (this.waiting > 0) {
      const waitS = this.pace.take();
      if (waitS > 0) {
        this.departure.set(waitS);
        break;
      }
      this.#sendData(this.unsent, 0);
      if (!member.repaired) this.kept.delete(this.unsent);
      this.unsent = plus(this.unsent, 1);
      if (member.repaired) this.#askLater();
    }
    member.socket.roomMade();
    if (member.closeWanted) member.leave();
  }

  #sendData(seq, dflags) {
    const kept = this.kept.get(seq);
    kept.attempt += 1;
    this.member.send("DATA", {
      seq, attempt: kept.attempt, body: { origin: this.member.id, dflags, hop: 0 },
      tlvs: { PAYLOAD: kept.payload },
    });
  }

  // T_SYNC after the last message: has all of it arrived?
  #askLater() {
    this.syncs.wait = plan.rto_initial_s / 4;
    this.sync.set(this.syncs.wait);
  }

  #ask() {
    const full = !this.roomy && this.member.state === "JOINED";
    if (this.acked === this.unsent && !full) return;
    this.#sendSync();
    this.syncs.wait = Math.min(this.syncs.wait * 2, plan.keepalive_s);
    this.sync.set(this.syncs.wait);
  }

  #sendSync() {
    const { unsent, acked, syncs } = this;
    if (syncs.seq !== unsent) Object.assign(syncs, { seq: unsent, attempt: 0 });
    syncs.attempt = Math.min(255, syncs.attempt + 1);
    this.member.send("SYNC", {
      seq: unsent, attempt: syncs.attempt,
      body: { origin: this.member.id, trailSeq: acked, sflags: 0 },
    });
  }

  #concerns(m) {
    return this.member.repaired && m.origin === this.member.id;
  }

  takeDataAck(m) {
    if (!this.#concerns(m) || ahead(m.rcvNext, this.unsent) < 0) return;
    const limit = plus(m.rcvNext, m.window);
    if (ahead(this.limit, limit) > 0) this.limit = limit;
    this.acknowledged(m.rcvNext);
    this.member.socket.roomMade();
  }

  acknowledged(rcvNext) {
    if (ahead(this.acked, rcvNext) <= 0) return;
    for (; this.acked !== rcvNext; this.acked = plus(this.acked, 1)) this.kept.delete(this.acked);
    this.member.progress();
    this.sync.stop();
    if (this.acked !== this.unsent || !this.roomy) this.#askLater();
  }

  takeNack(m) {
    if (!this.#concerns(m)) return;
    const named = (seq) =>
      m.ranges.some(([first, last]) => ahead(first, seq) >= 0 && ahead(seq, last) >= 0);
    const wanted = [...this.kept]
      .filter(([seq, { attempt }]) => ahead(seq, this.unsent) > 0 && attempt < 255 && named(seq))
      .slice(0, REPAIRS_AT_ONCE)
      .map(([seq]) => seq);
    for (const seq of wanted) this.#sendData(seq, 1);
    this.pace.repaired(wanted.length);
    const closing = this.member.close !== null || this.member.theirClose;
    if (wanted.length === 0 && !closing) this.#sendSync();
  }
}

// How fast messages may leave: the share of repairs in each interval of RTOinit decides (11.8).
class Pace {
  constructor(maxRate) {
    this.most = Math.max(maxRate, 1 / plan.rto_initial_s);
    this.rate = maxRate === 0 ? this.most : maxRate;
    this.tokens = BURST;
    this.counted = now();
    this.bad = 0; // intervals with many repairs, one after the other
    this.interval = { since: now(), left: 0, repairs: 0 };
  }

  // Take a place, or tell in how many seconds there is one.
  take() {
    const time = now();
    this.#reckon(time);
    const most = this.bad >= 3 ? 1 : BURST;
    this.tokens = Math.min(most, this.tokens + (time - this.counted) * this.rate);
    this.counted = time;
    if (this.tokens < 1) return (1 - this.tokens) / this.rate + 0.001;
    this.tokens -= 1;
    this.interval.left += 1;
    return 0;
  }

  repaired(count) {
    this.interval.repairs += count;
  }

  #reckon(time) {
    const { since, left, repairs } = this.interval;
    const length = time - since;
    if (length < plan.rto_initial_s) return;
    const wasBad = this.bad >= 3;
    this.interval = { since: time, left: 0, repairs: 0 };
    if (left < (wasBad ? 1 : 8)) return;
    const share = repairs / left;
    this.bad = share > 0.2 ? this.bad + 1 : 0;
    const slow = Math.min(this.most, 8 / plan.rto_initial_s);
    if (this.bad >= 3) this.rate = 1 / plan.rto_initial_s;
    else if (wasBad) this.rate = slow;
    else if (share > 0.05) this.rate = Math.max(slow, Math.min(this.rate, left / length) / 2);
    else this.rate = Math.min(this.most, this.rate * 2);
  }
}
