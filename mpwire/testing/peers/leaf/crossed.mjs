// An invitation that crossed our own request and prevailed: accepted, until the root confirms.
// Written from docs/protocol.md 9.6 (crossed joins) and 11.2 (data before CONFIRM).

import { End } from "./end.mjs";
import { Membership, fitting } from "./membership.mjs";
import { FLAG, MAX_PAYLOAD, u32 } from "./numbers.mjs";
import { plan, rto, timersTlv } from "./time.mjs";

const MOST_HELD = 64;

export class Crossed extends End {
  constructor(socket, peer, invitation) {
    super(socket, peer, invitation.leafDir);
    this.introduce();
    Object.assign(this, { invitation, state: "CROSSED", held: [], isWithdrawn: false });
    Object.assign(this, { peerTag: invitation.initTag, session: invitation.session });
    this.control = invitation.seq;
    this.#accept();
  }

  #accept() {
    this.attempt += 1;
    this.send("ACCEPT", {
      flags: FLAG.X, seq: this.invitation.seq, attempt: this.attempt,
      body: {
        respTag: this.ownTag, assignedId: 0, leafDir: this.direction,
        maxPayload: Math.min(MAX_PAYLOAD, this.invitation.maxPayload), nextDataSeq: this.firstSeq,
      },
      tlvs: { TIMERS: timersTlv(), CAPS: u32(this.caps), VERSIONS: this.versions },
    });
    this.retransmission.set(rto(this.attempt));
  }

  // A CLOSE is not for now: CONFIRM comes first, and the next copy of the CLOSE after it.
  take(m) {
    if (m.name === "CANCEL") {
      this.send("CANCEL_ACK", { seq: m.seq, attempt: m.attempt, body: { result: 2 } });
      this.#fail("WSAECONNREFUSED");
    } else if (m.name === "ABORT") this.#fail("WSAECONNREFUSED");
    else if (m.name === "CONFIRM" && m.seq === this.invitation.seq) this.#takeConfirm(m);
    else if (m.name === "DATA" && this.held.length < MOST_HELD) this.held.push(m);
  }

  #takeConfirm(m) {
    const same = m.session === this.session && m.nextDataSeq === this.invitation.nextDataSeq;
    if (!fitting(m, this.direction) || !same) {
      this.abort(3, { echo: m.seq });
      this.#fail("WSAECONNREFUSED");
      return;
    }
    this.id = m.assignedId;
    const member = new Membership(this, m, this.invitation);
    this.socket.joined(null, member);
    this.forget();
    for (const held of this.held) member.take(held);
    if (this.isWithdrawn) member.leave();
  }

  retransmit() {
    if (this.attempt < plan.retransmissions) return this.#accept();
    this.abort(5);
    return this.#fail("WSAETIMEDOUT");
  }

  // The application has closed the socket: our ACCEPT is out, so we leave after CONFIRM.
  withdraw() {
    this.isWithdrawn = true;
  }

  #fail(error) {
    this.forget();
    this.socket.joined(error);
  }

  interfaceLost() {
    this.#fail("WSAENETUNREACH");
  }
}
