// What an attempt to join and a membership have in common: two addresses, two tags, and timers.
// Written from docs/protocol.md 3 (transport), 4 (tags) and 12.3 (ABORT).

import { random } from "./chance.mjs";
import { encode } from "./codec.mjs";
import { CAPS, FLAG, MAY_SEND, NONE, RECEIVES, plus } from "./numbers.mjs";
import { Timer } from "./time.mjs";

export class End {
  constructor(socket, peer, direction) {
    Object.assign(this, { socket, peer, direction });
    this.retransmission = new Timer(() => this.retransmit());
    this.limit = new Timer(() => this.expire());
    this.timers = [this.retransmission, this.limit];
  }

  // What a new end says of itself.
  introduce() {
    this.ownTag = random.tag();
    this.peerTag = null;
    this.session = NONE;
    this.id = 0;
    this.firstSeq = random.number(); // NextDataSeq
    this.caps = CAPS.REPAIR | (random.bit() ? CAPS.GREASE : 0);
    this.versions = Buffer.from([1, (random.number() & 0xf0) | 0x0a]); // 14
    this.attempt = 0; // of what is being repeated
  }

  get receives() {
    return (this.direction & RECEIVES) !== 0;
  }

  get maySend() {
    return (this.direction & MAY_SEND) !== 0;
  }

  // Whether a message that came from our peer is for this end.
  owns(m) {
    if (m.name === "ABORT" && m.flags & FLAG.R) return m.tag === this.peerTag;
    if (m.name === "CANCEL" && m.tag === NONE) return m.initTag === this.peerTag;
    return m.tag === this.ownTag;
  }

  send(name, { body, tlvs, ...header }) {
    const whole = { session: this.session, tag: this.peerTag, sender: this.id, ...header };
    this.socket.transmit(encode(name, whole, body, tlvs), this.peer, () => this.noWay());
  }

  // This host has no way to the peer, so that nothing was sent.
  noWay() {}

  // `control` is the Seq of the latest request.
  abort(why, { echo = 0, ...header } = {}) {
    const seq = plus(this.control, 1);
    this.send("ABORT", { seq, ...header, body: { reason: why, echoSeq: echo } });
  }

  // Refuse an ACCEPT that nothing comes of.
  tellOff(m, why) {
    this.abort(why, { session: m.session, tag: m.respTag, sender: 0, echo: m.seq });
  }

  forget() {
    this.state = "GONE";
    for (const timer of this.timers) timer.stop();
    this.socket.forget(this);
  }
}
