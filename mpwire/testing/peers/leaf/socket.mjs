// A socket: calls in, events out, and the datagrams of its memberships.
// Written from docs/sockets.md (calls, the record of events) and docs/protocol.md 15.

import os from "node:os";

import { decode } from "./codec.mjs";
import { Failure, WSA, fail } from "./failures.mjs";
import { Joining } from "./joining.mjs";
import { DIRECTIONS, FLAG } from "./numbers.mjs";
import { Strangers } from "./strangers.mjs";
import { turn } from "./time.mjs";
import { towards, udpOf } from "./udp.mjs";

export const EVENTS = ["FD_CONNECT", "FD_READ", "FD_WRITE", "FD_CLOSE"]; // in order of their bits
const MOST_CALLER_DATA = 512;
const all = new Set(); // those too that are closed and still answer
export const arrivals = { count: 0 }; // of datagrams, for the barrier

export class Socket {
  constructor(descriptor, family) {
    this.descriptor = descriptor;
    this.family = family;
    this.blocking = true;
    this.blocked = []; // calls that wait: { id, again }
    this.selected = new Set();
    this.reported = false;
    this.record = new Map(); // event: { code, told }
    this.bound = false;
    this.member = null; // what the application is, or wants to be, a member of
    this.joining = false;
    this.failed = null;
    this.live = new Set(); // attempts and memberships that packets may still belong to
    this.queue = []; // payloads that have not been read
    this.end = null; // how the membership ended: { error }
    this.shut = { SEND: false, RECEIVE: false };
    this.linger = null;
    this.full = false; // a send has failed for want of room
    this.closed = false;
    this.lost = false; // the interface of our address
    all.add(this);
    this.strangers = new Strangers((datagram, to) => this.transmit(datagram, to));
    this.any = family === "inet6" ? "::" : "0.0.0.0";
    this.home = null; // what the kernel takes towards our peer, where nobody has chosen an address
    this.udp = udpOf(family);
    this.udp.on("message", (datagram, from) => this.#arrive(datagram, from));
    this.udp.on("error", () => {}); // what a send cannot reach is found out by its timers
  }

  // The wire -----------------------------------------------------------------------------------

  transmit(datagram, { host, port }, unsent = () => {}) {
    this.udp.send(datagram, port, host, (error) => {
      if (!["ENETUNREACH", "ENETDOWN", "EADDRNOTAVAIL"].includes(error?.code)) return;
      lookAround();
      if (error.code === "ENETUNREACH") unsent();
      turn.done();
    });
  }

  #arrive(datagram, { address: host, port }) {
    arrivals.count += 1;
    const m = decode(datagram);
    if (m === null || port === 0 || m.flags & FLAG.M) return;
    const ends = [...this.live].filter(({ peer }) => peer.host === host && peer.port === port);
    const owner = ends.find((end) => end.owns(m));
    if (owner) owner.take(m);
    else this.strangers.take(m, { host, port }, ends);
    turn.done();
  }

  // Learn which addresses this host has: the one that a membership lives on may be gone.
  look(addresses) {
    if (!this.bound) return;
    const own = this.home ?? this.name[0];
    this.lost = own !== this.any && !addresses.has(own);
    if (this.lost) for (const end of [...this.live]) end.interfaceLost();
  }

  // What attempts and memberships tell -----------------------------------------------------------

  // An attempt has ended, with a membership if there is no error.
  joined(error, member = null) {
    if (member !== null) this.live.add(member);
    if (!this.joining) return;
    Object.assign(this, { joining: false, failed: error, member });
    this.#note("FD_CONNECT", error);
    this.roomMade(true);
  }

  // An invitation has taken the place of our own request.
  crossed(accepted) {
    this.member = accepted;
    this.live.add(accepted);
  }

  deliver(payload) {
    if (this.shut.RECEIVE) return void this.member.receiver.read();
    this.queue.push(payload);
    return this.#note("FD_READ", null);
  }

  roomMade(first = false) {
    const { member } = this;
    if (this.joining || this.end !== null || this.shut.SEND || !member?.maySend) return;
    if (member.theirClose || !(first || this.full) || !member.sender.roomy) return;
    this.full = false;
    this.#note("FD_WRITE", null);
  }

  ended(error) {
    if (this.end !== null) return;
    this.end = { error };
    this.#endSeen();
  }

  #endSeen() {
    if (this.end === null || (this.end.error === null && this.queue.length > 0)) return;
    this.#note("FD_CLOSE", this.end.error);
  }

  forget(end) {
    this.live.delete(end);
    this.#release();
  }

  // Give the port back, when nobody can need it any more.
  #release() {
    if (!this.closed || this.live.size > 0 || !all.delete(this)) return;
    this.udp.close();
  }

  // The record of events -------------------------------------------------------------------------

  #note(event, error) {
    if (this.closed || this.record.has(event)) return;
    this.record.set(event, { code: error ? WSA[error] : 0, told: false });
  }

  enumerate() {
    const told = [];
    for (const event of EVENTS) {
      const entry = this.record.get(event);
      if (!entry || entry.told || !this.selected.has(event)) continue;
      entry.told = true;
      told.push({ event, code: entry.code });
    }
    return told;
  }

  #enable(event) {
    if (this.record.get(event)?.told) this.record.delete(event);
  }

  // Calls --------------------------------------------------------------------------------------

  bind(host, port) {
    if (this.bound) fail("WSAEINVAL");
    return new Promise((done, failed) => {
      const refused = (error) => {
        const known = { EADDRINUSE: "WSAEADDRINUSE", EADDRNOTAVAIL: "WSAEADDRNOTAVAIL" };
        failed(new Failure(known[error.code] ?? "WSAEFAULT"));
      };
      this.udp.once("error", refused);
      this.udp.bind({ address: host, port, exclusive: true }, () => {
        this.udp.off("error", refused);
        this.bound = true;
        done({});
      });
    });
  }

  get name() {
    if (!this.bound) fail("WSAEINVAL");
    const { address, port } = this.udp.address();
    return [address, port];
  }

  select(events, reported) {
    this.blocking = false;
    this.selected = new Set(events);
    this.reported = reported;
  }

  async join({ address, flags, caller_data: data, callee_capacity: room }) {
    if (this.joining) fail("WSAEALREADY");
    if (this.member !== null) fail("WSAEISCONN");
    if (this.lost) fail("WSAENETDOWN");
    const [host, port] = address;
    if (host.includes(":") !== (this.family === "inet6")) fail("WSAEAFNOSUPPORT");
    if (port === 0 || /^(0\.0\.0\.0|::)$/.test(host)) fail("WSAEADDRNOTAVAIL");
    if (data !== null && data.length > MOST_CALLER_DATA) fail("WSAEFAULT");
    const chosen = this.bound && this.name[0] !== this.any;
    if (!chosen) this.home = await towards(this.family, host, port);
    if (!this.bound) await this.bind(this.home ?? this.any, 0);
    this.joining = true;
    this.record.delete("FD_CONNECT");
    const said = data !== null && data.length > 0 ? data : null;
    this.member = new Joining(this, { host, port }, DIRECTIONS[flags], said, room);
    this.live.add(this.member);
  }

  joinOutcome() {
    if (this.joining) fail("WSAEWOULDBLOCK");
    if (this.failed) fail(this.failed);
    return { socket: this.descriptor, ...this.calleeData() };
  }

  calleeData() {
    return { callee_data: this.#connected().calleeData.toString("hex") };
  }

  #connected() {
    if (this.member === null || this.joining) fail("WSAENOTCONN");
    return this.member;
  }

  send(payload) {
    const member = this.#connected();
    if (!member.maySend) fail("WSAEOPNOTSUPP");
    if (this.shut.SEND) fail("WSAESHUTDOWN");
    this.#enable("FD_WRITE");
    if (this.end?.error) fail(this.end.error);
    if (this.end !== null || member.theirClose) fail("WSAENOTCONN");
    if (payload.length > member.maxPayload) fail("WSAEMSGSIZE");
    if (!member.sender.roomy) {
      this.full = true;
      fail("WSAEWOULDBLOCK");
    }
    member.sender.submit(payload);
    return { octets: payload.length };
  }

  recv() {
    const member = this.#connected();
    if (!member.receives) fail("WSAEOPNOTSUPP");
    if (this.shut.RECEIVE) fail("WSAESHUTDOWN");
    this.#enable("FD_READ");
    if (this.queue.length === 0) {
      if (this.end === null) fail("WSAEWOULDBLOCK");
      fail(this.end.error ?? "WSAEDISCON");
    }
    const payload = this.queue.shift();
    member.receiver.read();
    if (this.queue.length > 0) this.#note("FD_READ", null);
    this.#endSeen();
    return { data: payload.toString("hex") };
  }

  // Nobody will read what has arrived.
  #discard() {
    if (this.queue.length > 0) this.member.receiver.read(this.queue.splice(0).length);
  }

  shutdown(how) {
    const member = this.#connected();
    const sends = how !== "RECEIVE";
    if (how !== "BOTH" && !(sends ? member.maySend : member.receives)) fail("WSAEINVAL");
    if (how !== "SEND") {
      this.shut.RECEIVE = true;
      this.#discard();
      this.#endSeen();
    }
    if (sends && !this.shut.SEND) {
      this.shut.SEND = true;
      member.leave();
    }
  }

  close() {
    this.closed = true;
    if (this.live.has(this.member)) {
      this.#discard();
      const abortive = this.linger === 0 && ["JOINED", "CLOSING"].includes(this.member.state);
      if (this.joining) this.member.withdraw();
      else if (abortive) this.member.reset();
      else this.member.leave();
    }
    this.#release();
  }
}

// Node tells nobody when an address goes, so it is looked for, now and then and at every barrier.
export function lookAround() {
  if (all.size === 0) return;
  const found = Object.values(os.networkInterfaces()).flat();
  const addresses = new Set(found.map(({ address }) => address));
  for (const socket of [...all]) socket.look(addresses);
}
