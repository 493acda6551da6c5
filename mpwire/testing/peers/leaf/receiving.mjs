// What the root sends to us: order, acknowledgement, and what is missing.
// Written from docs/protocol.md 11.2 to 11.4 (receiving, acknowledgement, repair).

import { FIRST_WINDOW, ROOT, ahead, plus, u32 } from "./numbers.mjs";
import { Timer, now, plan } from "./time.mjs";

const BUFFER = 256; // 11.3: room for messages
const AHEAD = 1024; // 11.2: how far from what is known a message may be that is not repaired
const UNACKNOWLEDGED = 8; // 11.3
const SHORT_OF_ROOM = 8;
const NACKS = 8; // 11.4
const FEWEST = 3; // NACKs before a further SYNC begins a series
const PROMISES = 8; // series that SYNC has begun in vain
const RANGES = 32;

export class Receiver {
  constructor(member, first) {
    this.member = member;
    this.next = first; // RcvNext
    this.known = first; // everything before it is known to have been sent
    this.limit = plus(first, FIRST_WINDOW); // R109
    this.early = new Map(); // messages that others before them are missing for
    this.unread = 0;
    this.fresh = 0; // new messages since the last DATA_ACK
    this.reports = 0; // DATA_ACK and NACK together
    this.nacks = 0; // of this series
    // of what RcvNext names: NACKs since a SYNC began a series, and how often one has; when
    this.plea = { asked: 0, promises: 0, first: 0, last: 0 };
    this.acknowledgement = new Timer(() => this.acknowledge());
    this.search = new Timer(() => this.#nack());
    this.timers = [this.acknowledgement, this.search];
  }

  get #misses() {
    return ahead(this.next, this.known) > 0;
  }

  get #room() {
    return Math.max(0, BUFFER - this.unread);
  }

  // Everything before `end` has been sent, so what is missing of it can be asked for.
  expect(end) {
    if (!this.member.receives) return;
    this.#learn(end);
    if (this.member.repaired) this.#seekAnew();
  }

  #learn(end) {
    if (ahead(this.known, end) > 0) this.known = end;
  }

  takeData(m) {
    const { member } = this;
    const payload = m.tlvs.PAYLOAD;
    if (!member.receives || !payload || m.origin !== ROOT || m.dflags & 2) return; // R83
    if (ahead(this.next, m.seq) < 0 || this.early.has(m.seq) || !this.#near(m.seq)) return;
    if (member.peerFinal !== null && ahead(member.peerFinal, m.seq) > 0) return;
    const before = this.next;
    const known = this.known;
    this.#learn(plus(m.seq, 1));
    if (!member.repaired) this.#handUpAtOnce(payload, known);
    this.early.set(m.seq, member.repaired ? Buffer.from(payload) : null);
    while (this.early.has(this.next)) {
      const first = this.early.get(this.next);
      this.early.delete(this.next);
      this.next = plus(this.next, 1);
      if (first !== null) this.#handUp(first);
    }
    if (this.next !== before) Object.assign(this.plea, { asked: 0, promises: 0 });
    if (member.repaired) this.#report(this.next !== before);
    member.arrived();
  }

  #near(seq) {
    if (this.member.repaired) return ahead(seq, this.limit) > 0;
    return ahead(this.known, seq) < AHEAD && ahead(this.known, seq) >= -AHEAD;
  }

  // Without repair a message goes up as it comes, and what is far behind is not waited for.
  #handUpAtOnce(payload, known) {
    for (let seq = known; ahead(seq, this.known) > 0; seq = plus(seq, 1)) {
      this.early.delete(plus(seq, -AHEAD));
    }
    this.#handUp(Buffer.from(payload));
  }

  #handUp(payload) {
    if (this.member.socket.closed) return;
    this.unread += 1;
    this.member.socket.deliver(payload);
  }

  #report(progressed) {
    this.fresh += 1;
    if (this.fresh >= UNACKNOWLEDGED) this.#dataAck();
    else this.acknowledgement.sooner(plan.rto_initial_s / 20);
    const idle = this.#misses && !this.search.isSet;
    if (this.nacks >= NACKS || progressed || idle) this.#seekAnew();
  }

  // Begin a series of NACKs, if anything is missing (11.4).
  #seekAnew() {
    this.nacks = 0;
    if (this.#misses) this.search.sooner(plan.rto_initial_s / 50);
    else this.search.stop();
  }

  #nack() {
    if (!this.#misses) return;
    const ranges = this.#ranges();
    const { plea } = this;
    if (plea.asked + plea.promises === 0) plea.first = now();
    plea.asked += 1;
    this.reports += 1;
    this.member.send("NACK", {
      seq: this.reports,
      body: { origin: ROOT, count: ranges.length },
      tlvs: { NACK_RANGES: Buffer.concat(ranges.flat().map(u32)) },
    });
    this.nacks += 1;
    if (this.nacks < NACKS) this.search.set((plan.rto_initial_s / 50) * 2 ** this.nacks);
  }

  // What is missing, however far away a SYNC or a CLOSE says that the end is.
  #ranges() {
    const kept = [...this.early.keys()].sort((one, other) => ahead(other, one));
    const missing = [];
    let from = this.next;
    for (const seq of [...kept, this.known]) {
      if (ahead(from, seq) > 0) missing.push([from, plus(seq, -1)]);
      from = plus(seq, 1);
    }
    return missing.slice(0, RANGES);
  }

  acknowledge() {
    this.acknowledgement.stop();
    if (this.fresh > 0) this.#dataAck();
  }

  #dataAck() {
    this.fresh = 0;
    const end = plus(this.next, this.#room);
    if (ahead(this.limit, end) > 0) this.limit = end;
    this.reports += 1;
    this.member.send("DATA_ACK", {
      seq: this.reports, body: { origin: ROOT, rcvNext: this.next, window: this.#room },
    });
  }

  // The application has read `count` messages: tell a root that had run short of room (11.3).
  read(count = 1) {
    const { repaired, state } = this.member;
    const wasShort = ahead(this.next, this.limit) < SHORT_OF_ROOM;
    this.unread -= count;
    if (!repaired || !["JOINED", "CLOSING"].includes(state)) return;
    if (wasShort && this.#room >= BUFFER / 2) this.#dataAck();
  }

  takeSync(m) {
    const { member } = this;
    if (!member.repaired || !member.receives || m.origin !== ROOT) return;
    const missed = this.#misses;
    if (!member.lingers) {
      if (ahead(this.next, m.trailSeq) > 0 || this.#hopeless(m.seq)) { // lost for good
        member.abort(9, { echo: m.seq });
        member.end("WSAECONNABORTED");
        return;
      }
      this.#learn(m.seq);
    }
    this.#dataAck();
    if (!this.#misses || member.lingers) return; // 16.1: it is too late then
    if (this.#timely() || !missed || this.nacks >= NACKS) this.#seekAnew();
  }

  // Is it time for another series of what was missing before this SYNC (11.4)?
  #timely() {
    const { plea } = this;
    if (plea.asked < Math.min(FEWEST + plea.promises, NACKS)) return false;
    plea.asked = 0;
    plea.promises += 1;
    plea.last = now();
    return true;
  }

  // Nobody need believe for ever that everything before `end` has been sent (11.4).
  #hopeless(end) {
    const { asked, promises, first, last } = this.plea;
    const inVain = asked >= NACKS && promises >= PROMISES && last - first >= plan.dead_s;
    return inVain && ahead(this.next, end) > 0;
  }

  stop() {
    for (const timer of this.timers) timer.stop();
  }
}
