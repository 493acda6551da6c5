// An attempt of ours to join a root, until there is an answer.
// Written from docs/protocol.md 9.1 to 9.5 (joining), 9.6 (crossed joins), 14 (versions).

import { random } from "./chance.mjs";
import { Crossed } from "./crossed.mjs";
import { End } from "./end.mjs";
import { Membership, fitting } from "./membership.mjs";
import { FLAG, MAX_PAYLOAD, NONE, PLANES, u32 } from "./numbers.mjs";
import { now, plan, rto, timersTlv } from "./time.mjs";

const CANCELS = 3; // 9.5
const MOST_ROOM = 512; // for callee data
const OF_REJECT = new Map([
  [6, "WSAEISCONN"], [7, "WSAENOBUFS"], [11, "WSAEOPNOTSUPP"], [12, "WSAEOPNOTSUPP"],
  [14, "WSAEAFNOSUPPORT"], [15, "WSAETIMEDOUT"],
]);
const MIRRORED = { 1: 2, 2: 1, 4: 3 }; // the LeafDir that a root's JL asks for

// States: ASKING, PROVING (has a cookie), PENDING, CANCELLING, FOLDED (an invitation prevailed).
export class Joining extends End {
  constructor(socket, peer, [jl, direction], callerData, calleeRoom) {
    super(socket, peer, direction);
    this.introduce();
    Object.assign(this, { jl, callerData, calleeRoom, state: "ASKING", cookie: null });
    this.transaction = random.number();
    this.control = this.transaction;
    this.challenged = false; // the latest copy answered a CHALLENGE
    this.issued = []; // cookies for an invitation that crosses: { cookie, to, at }
    this.limit.set(plan.pend_s);
    this.#ask();
  }

  get asks() {
    return ["ASKING", "PROVING", "PENDING"].includes(this.state);
  }

  #ask() {
    this.attempt += 1;
    const tlvs = {
      TIMERS: timersTlv(),
      CAPS: u32(this.caps),
      VERSIONS: this.versions,
      CALLEE_ROOM: this.calleeRoom < MOST_ROOM ? u32(this.calleeRoom) : null,
      COOKIE: this.cookie,
      CALLER_DATA: this.callerData,
    };
    if (random.bit()) { // 14: a TLV that means nothing, in about every other request
      const type = 0x0a0a | (random.number() % 8 << 12) | (random.number() % 16 << 4);
      tlvs[type] = Buffer.alloc(random.number() % 17, 0x5a);
    }
    this.send("JOIN_REQ", {
      session: NONE, tag: NONE, seq: this.transaction, attempt: this.attempt, tlvs,
      body: {
        initTag: this.ownTag, role: 2, jl: this.jl, leafDir: this.direction, planes: PLANES,
        nextDataSeq: this.firstSeq, maxPayload: MAX_PAYLOAD,
      },
    });
    if (this.state !== "PENDING") this.retransmission.set(rto(this.attempt));
  }

  #poll() {
    this.retransmission.set(this.pollS * random.between(1, 1.1));
  }

  take(m) {
    if (this.state === "FOLDED") {
      if (m.name === "ACCEPT") this.tellOff(m, 5);
    } else if (this.state === "CANCELLING") {
      if (m.name === "CANCEL_ACK" && m.seq === this.transaction) this.forget();
      else if (m.name === "ACCEPT") this.tellOff(m, 5);
    } else if (m.name === "VERSION_NEG") {
      if (this.state === "ASKING" && !m.versions.includes(1)) this.#fail("WSAECONNREFUSED"); // 14
    } else if (m.seq === this.transaction) this.#takeAnswer(m);
  }

  #takeAnswer(m) {
    if (m.name === "CHALLENGE") this.#takeChallenge(m);
    else if (m.name === "REJECT") this.#fail(OF_REJECT.get(m.reason) ?? "WSAECONNREFUSED");
    else if (this.cookie === null) return; // PENDING and ACCEPT come after the cookie (R35)
    else if (m.name === "PENDING") this.#takePending(m);
    else if (m.name === "ACCEPT") this.#takeAccept(m);
  }

  #takeChallenge(m) {
    if (this.cookie !== null && (m.attempt !== this.attempt || this.challenged)) return;
    if (m.attempt > this.attempt || this.attempt === 255) return;
    if (this.state !== "PENDING" && this.attempt >= plan.retransmissions) return; // R77
    this.cookie = Buffer.from(m.tlvs.COOKIE);
    if (this.state === "ASKING") this.state = "PROVING";
    this.challenged = true;
    this.#ask();
    if (this.state === "PENDING") this.#poll();
  }

  #takePending(m) {
    this.state = "PENDING";
    this.peerTag = m.respTag;
    this.pollS = Math.max(m.pollMs / 1000, plan.poll_s);
    this.#poll();
  }

  #takeAccept(m) {
    const unfit = m.flags & FLAG.X || (m.tlvs.CALLEE_DATA?.length ?? 0) > this.calleeRoom;
    if (unfit || !fitting(m, this.direction)) {
      this.tellOff(m, 3);
      this.#fail("WSAECONNREFUSED");
      return;
    }
    Object.assign(this, { peerTag: m.respTag, session: m.session, id: m.assignedId });
    const member = new Membership(this, m, m);
    member.confirm(m);
    this.socket.joined(null, member);
    this.forget();
  }

  retransmit() {
    if (this.state === "CANCELLING") {
      if (this.attempt >= CANCELS) this.forget();
      else this.#cancel();
    } else if (this.state !== "PENDING") {
      if (this.attempt >= plan.retransmissions) return this.expire();
      this.challenged = false;
      this.#ask();
    } else {
      if (this.attempt < 255) {
        this.challenged = false;
        this.#ask();
      }
      this.#poll();
    }
    return undefined;
  }

  expire() {
    if (this.state === "FOLDED") return this.forget();
    this.#giveUp(2);
    return this.socket.joined("WSAETIMEDOUT");
  }

  // The application has closed the socket.
  withdraw() {
    this.#giveUp(1);
  }

  #giveUp(why) {
    const proved = this.cookie !== null;
    Object.assign(this, { state: "CANCELLING", attempt: 0, why });
    this.limit.stop();
    this.#cancel();
    if (!proved) this.forget(); // 9.5: one copy if a cookie was never sent
  }

  #cancel() {
    this.attempt += 1;
    this.send("CANCEL", {
      session: NONE, tag: this.peerTag ?? NONE, seq: this.transaction, attempt: this.attempt,
      body: { initTag: this.ownTag, reason: this.why },
    });
    this.retransmission.set(rto(this.attempt));
  }

  #fail(error) {
    this.forget();
    this.socket.joined(error);
  }

  interfaceLost() {
    if (this.asks) this.#fail("WSAENETUNREACH");
  }

  noWay() {
    this.interfaceLost();
  }

  // The root invites whom it has been asked by: that prevails, once it has echoed a cookie. What
  // is remembered of a cookie is part of our own request, of which there is one.
  invited(m) {
    const answer = {
      session: m.session, tag: m.initTag, seq: m.seq, attempt: m.attempt, sender: 0,
    };
    if (!this.#proved(m)) {
      const cookie = Buffer.from(random.tag() + random.tag(), "hex");
      this.issued = [...this.issued.slice(-3), { cookie, to: bound(m), at: now() }];
      const body = { cookieLifeMs: Math.round(plan.cookie_life_s * 1000) };
      this.send("CHALLENGE", { ...answer, body, tlvs: { COOKIE: cookie } });
      return;
    }
    const why = refusal(m);
    if (why !== null) {
      this.send("REJECT", { ...answer, body: { reason: why } });
      return;
    }
    this.state = "FOLDED";
    this.retransmission.stop();
    this.limit.set(plan.linger_s);
    this.socket.crossed(new Crossed(this.socket, this.peer, m));
  }

  #proved(m) {
    this.issued = this.issued.filter(({ at }) => now() - at < plan.cookie_life_s);
    return this.issued.some(({ cookie, to }) => to === bound(m) && m.tlvs.COOKIE?.equals(cookie));
  }
}

const bound = (m) => [m.initTag, m.session, m.seq, m.fixed].join();

function refusal(m) {
  if (m.role !== 1 || m.planes !== PLANES) return 5;
  if (MIRRORED[m.jl] !== (m.leafDir & 3) || m.leafDir & 4) return 12;
  return m.maxPayload < 256 || m.session === NONE ? 7 : null;
}
