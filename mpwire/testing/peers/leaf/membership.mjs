// A membership: from FD_CONNECT until nobody can need it any more.
// Written from docs/protocol.md 9.7 (asked again), 10 (keepalive), 12 (ending), 16.1 (states).

import { random } from "./chance.mjs";
import { End } from "./end.mjs";
import { CAPS, FIRST_LEAF, MAX_PAYLOAD, NONE, PLANES, ROOT, ahead, plus } from "./numbers.mjs";
import { Receiver } from "./receiving.mjs";
import { Sender } from "./sending.mjs";
import { Timer, plan, rto } from "./time.mjs";

const PROBES = 4; // 10

// Whether what the root has answered is what was asked for.
export function fitting(m, direction) {
  const placed = m.assignedId >= FIRST_LEAF && m.session !== NONE;
  return placed && m.leafDir === direction && m.desc?.planes === PLANES;
}

// States: JOINED, CLOSING (our CLOSE is out), DRAINING (both know of the end, something may be
// missing), LINGERING (the other side may still need something), GONE.
export class Membership extends End {
  // `from` has been admitted by `m`, and `offer` said what the root can do; often they are one.
  constructor(from, m, offer) {
    super(from.socket, from.peer, from.direction);
    const { ownTag, peerTag, session, id, control } = from;
    Object.assign(this, { ownTag, peerTag, session, id, control, state: "JOINED" });
    this.transaction = control;
    this.firstSeq = from.firstSeq;
    this.calleeData = Buffer.from(m.tlvs.CALLEE_DATA ?? []);
    this.maxPayload = Math.min(MAX_PAYLOAD, offer.maxPayload);
    this.repaired = (offer.tlvs.CAPS.readUInt32BE() & CAPS.REPAIR) !== 0 && m.desc.repair === 1;
    this.close = null; // our CLOSE: { seq, attempt, copies }
    this.closeWanted = false;
    this.theirClose = false;
    this.peerFinal = null; // FinalSeq of the other side, once it has said it
    this.probe = null; // { nonce, seq, attempt }
    this.keepalive = new Timer(() => this.#probe());
    this.sender = new Sender(this, this.firstSeq, m.desc.maxRate);
    this.receiver = new Receiver(this, m.nextDataSeq);
    this.timers.push(this.keepalive, ...this.sender.timers, ...this.receiver.timers);
    this.#heard();
  }

  get lingers() {
    return this.state === "LINGERING";
  }

  confirm(m) {
    this.send("CONFIRM", {
      seq: this.transaction, attempt: m.attempt,
      body: { assignedId: 0, nextDataSeq: this.firstSeq, leafDir: this.direction },
    });
  }

  // Arrivals -----------------------------------------------------------------------------------

  take(m) {
    if (m.session !== this.session) return;
    if (m.name === "PROBE_ACK") {
      if (this.probe?.nonce === m.nonce) this.#heard();
    } else if (m.name === "ACCEPT") {
      if (m.respTag !== this.peerTag || !["JOINED", "CLOSING"].includes(this.state)) return;
      this.#heard();
      this.confirm(m);
    } else if (m.name === "ABORT") {
      if (!this.lingers) this.end("WSAECONNRESET");
    } else if (m.sender === ROOT) {
      this.#heard();
      this.#takeOfRoot(m);
    }
  }

  #takeOfRoot(m) {
    switch (m.name) {
      case "DATA": return this.lingers ? undefined : this.receiver.takeData(m);
      case "SYNC": return this.receiver.takeSync(m);
      case "NACK": return this.sender.takeNack(m);
      case "DATA_ACK": return this.sender.takeDataAck(m);
      case "PROBE": return this.lingers ? undefined : this.#takeProbe(m);
      case "CLOSE": return this.#takeClose(m);
      case "CLOSE_ACK": return this.#takeCloseAck(m);
      default: return undefined;
    }
  }

  // Keepalive ----------------------------------------------------------------------------------

  #heard() {
    if (this.state !== "JOINED") return;
    this.keepalive.set(plan.keepalive_s * random.between(0.8, 1.2));
    if (this.probe !== null) this.#stopProbing();
  }

  #stopProbing() {
    this.probe = null;
    this.retransmission.stop();
  }

  // Ask at once whether the peer still knows us (9.7).
  verify() {
    if (this.state === "JOINED" && this.probe === null) this.#probe();
  }

  #probe() {
    this.keepalive.stop();
    this.control = plus(this.control, 1);
    this.probe = { nonce: random.tag(), seq: this.control, attempt: 0 };
    this.#sendProbe();
  }

  #sendProbe() {
    this.probe.attempt += 1;
    const { nonce, seq, attempt } = this.probe;
    this.send("PROBE", { seq, attempt, body: { nonce, nextDataSeq: this.sender.next } });
    this.retransmission.set(rto(attempt));
  }

  #takeProbe(m) {
    this.send("PROBE_ACK", {
      seq: m.seq, attempt: m.attempt,
      body: { nonce: m.nonce, rcvNext: this.receiver.next, lossPermille: 0 },
    });
  }

  retransmit() {
    const closing = this.state === "CLOSING";
    const { attempt, copies } = closing ? this.close : this.probe;
    const most = closing ? plan.retransmissions : PROBES;
    if ((copies ?? attempt) < most && attempt < 255) {
      if (closing) this.#sendClose();
      else this.#sendProbe();
    } else {
      this.abort(closing ? 6 : 4);
      this.end("WSAECONNABORTED");
    }
  }

  // The end ------------------------------------------------------------------------------------

  // Leave gracefully, when everything submitted has left (11.8, 12.1).
  leave() {
    this.closeWanted = true;
    if (this.close !== null || this.state !== "JOINED" || this.sender.waiting > 0) return;
    this.state = "CLOSING";
    this.keepalive.stop();
    this.probe = null;
    this.control = plus(this.control, 1);
    this.close = { seq: this.control, attempt: 0, copies: 0 };
    this.#sendClose();
  }

  reset() {
    this.abort(2);
    this.forget();
  }

  #sendClose() {
    this.close.attempt += 1;
    this.close.copies += 1;
    this.send("CLOSE", {
      seq: this.close.seq, attempt: this.close.attempt,
      body: { reason: 1, cflags: 0, finalSeq: plus(this.sender.next, -1), sideFinalSeq: 0 },
    });
    this.retransmission.set(rto(this.close.attempt));
  }

  #takeClose(m) {
    const { next } = this.receiver;
    const end = plus(m.finalSeq, 1);
    const complete = !this.receives || ahead(end, next) >= 0;
    this.send("CLOSE_ACK", {
      seq: m.seq, attempt: m.attempt,
      body: {
        ackFlags: complete ? 0 : 1,
        rcvNext: complete ? end : next,
        finalSeq: plus(this.sender.next, -1),
      },
    });
    if (this.lingers) return;
    this.theirClose = true;
    this.#drain(m.finalSeq);
  }

  #takeCloseAck(m) {
    if (this.close === null || m.seq !== this.close.seq || m.attempt > this.close.attempt) return;
    if (ahead(m.rcvNext, this.sender.unsent) >= 0) this.sender.acknowledged(m.rcvNext);
    if (m.ackFlags & 1 && this.repaired) return; // it is repeated until nothing is missing
    if (this.state === "CLOSING") this.#drain(m.finalSeq);
  }

  // The other side has taken something of ours (12.1: patient with a peer that gets on).
  progress() {
    if (this.close !== null) this.close.copies = 0;
    if (this.lingers) this.limit.set(plan.linger_s);
  }

  // Both sides know of the end: wait for what is missing, then linger.
  #drain(peerFinal) {
    this.peerFinal = peerFinal;
    this.retransmission.stop();
    this.keepalive.stop();
    this.probe = null;
    this.state = "DRAINING";
    this.limit.set(plan.drain_s);
    this.receiver.expect(plus(peerFinal, 1));
    this.#drained();
  }

  // The receiver has got something new.
  arrived() {
    if (this.state !== "DRAINING") return;
    this.limit.set(plan.drain_s);
    this.#drained();
  }

  // Go on to linger if nothing is missing.
  #drained() {
    if (this.receives && ahead(this.receiver.next, plus(this.peerFinal, 1)) > 0) return;
    this.receiver.acknowledge();
    this.socket.ended(null);
    this.#linger();
  }

  expire() {
    if (this.lingers) return this.forget();
    this.socket.ended(this.repaired ? "WSAECONNABORTED" : null);
    return this.#linger();
  }

  #linger() {
    this.state = "LINGERING";
    this.receiver.stop();
    this.limit.set(plan.linger_s);
  }

  // End at once: nothing is sent any more and nothing answered.
  end(error) {
    this.forget();
    this.socket.ended(error);
  }

  interfaceLost() {
    if (this.lingers) return;
    this.abort(2); // which is tried once
    this.end("WSAENETDOWN");
  }
}
