// The messages and TLVs of MPW/1 as data: what stands where, and which values are legal.
// Written from docs/protocol.md 5 (messages), 6 (TLVs) and 7 (registries).

import { HIGHEST_MEMBER, LARGEST, NONE } from "./numbers.mjs";

const grease = (code) => (code & 0x0f) === 0x0a;
const among = (...codes) => (code) => codes.includes(code);
const reason = (...codes) => (code) => codes.includes(code) || grease(code);
const only = (bits) => (value) => (value & ~bits) === 0;
const leafDir = (value) => (value & 3) !== 0 && (value & 0xf8) === 0;
const member = (value) => value <= HIGHEST_MEMBER;
const set = (tag) => tag !== NONE;
const zero = (value) => value === 0;

// 5.1: name, fields as [name, octets, what is legal], TLVs that may stand there, TLVs that must
export const MESSAGES = new Map([
  [0x00, message("VERSION_NEG", [["count", 1], ["rsv", 3, zero]], "", "")],
  [0x01, message("JOIN_REQ",
    [["initTag", 8, set], ["role", 1, among(1, 2, 3)], ["jl", 1, among(1, 2, 4)],
      ["leafDir", 1, leafDir], ["planes", 1, only(0x0f)], ["nextDataSeq", 4], ["maxPayload", 2],
      ["rsv", 2, zero]],
    "PAD QOS CALLEE_ROOM COOKIE CALLER_DATA SEALED", "TIMERS CAPS VERSIONS")],
  [0x02, message("CHALLENGE", [["cookieLifeMs", 4]], "", "COOKIE")],
  [0x03, message("PENDING",
    [["respTag", 8, set], ["state", 1, among(1, 2, 3)], ["rsv", 1, zero], ["queuePos", 2],
      ["pollMs", 4]], "EVENT_ECHO", "")],
  [0x04, message("ACCEPT",
    [["respTag", 8, set], ["assignedId", 4, member], ["leafDir", 1, leafDir], ["rsv", 1, zero],
      ["maxPayload", 2], ["nextDataSeq", 4]],
    "SESSION_DESC CALLEE_DATA SEALED", "TIMERS CAPS VERSIONS")],
  [0x05, message("CONFIRM",
    [["assignedId", 4, member], ["nextDataSeq", 4], ["leafDir", 1, leafDir], ["rsv", 3, zero]],
    "EVENT_ECHO SESSION_DESC SEALED", "")],
  [0x06, message("REJECT",
    [["reason", 1, reason(1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)], ["rsv", 1, zero],
      ["retryAfterS", 2], ["detail", 4]], "REASON_TEXT UNKNOWN_TLVS", "")],
  [0x07, message("CANCEL", [["initTag", 8, set], ["reason", 1, reason(1, 2)], ["rsv", 3, zero]],
    "", "")],
  [0x08, message("CANCEL_ACK", [["result", 1, among(0, 1, 2)], ["rsv", 3, zero]], "", "")],
  [0x09, message("CLOSE",
    [["reason", 1, reason(1, 2, 3)], ["cflags", 1, only(3)], ["rsv", 2, zero], ["finalSeq", 4],
      ["sideFinalSeq", 4]], "DISC_DATA REASON_TEXT SEALED", "")],
  [0x0b, message("CLOSE_ACK",
    [["ackFlags", 1, only(1)], ["rsv", 3, zero], ["rcvNext", 4], ["finalSeq", 4]],
    "EVENT_ECHO", "")],
  [0x0c, message("ABORT",
    [["reason", 1, reason(1, 2, 3, 4, 5, 6, 7, 8, 9)], ["rsv", 3, zero], ["echoSeq", 4]],
    "REASON_TEXT", "")],
  [0x0d, message("PROBE", [["nonce", 8], ["nextDataSeq", 4], ["rsv", 4, zero]], "PAD", "")],
  [0x0e, message("PROBE_ACK",
    [["nonce", 8], ["rcvNext", 4], ["lossPermille", 2, (value) => value <= 1000],
      ["rsv", 2, zero]], "REPORT EVENT_ECHO", "")],
  [0x10, message("DATA",
    [["origin", 4, member], ["dflags", 1, only(7)], ["hop", 1], ["rsv", 2, zero]],
    "SEALED PAYLOAD", "")],
  [0x11, message("SIDE", [["sflags", 1, only(1)], ["rsv", 3, zero]], "SEALED PAYLOAD", "")],
  [0x12, message("SYNC",
    [["origin", 4, member], ["trailSeq", 4], ["sflags", 1, only(1)], ["rsv", 3, zero]], "", "")],
  [0x13, message("NACK", [["origin", 4, member], ["count", 1], ["rsv", 3, zero]],
    "", "NACK_RANGES")],
  [0x14, message("MEMBER",
    [["action", 1, among(1, 2, 3)], ["leafDir", 1, leafDir], ["rsv", 2, zero],
      ["memberId", 4, member], ["boundarySeq", 4], ["rsv", 4, zero]], "SEALED ADDR", "")],
  [0x16, message("DATA_ACK", [["origin", 4, member], ["rcvNext", 4], ["window", 4]], "", "")],
]);

function message(name, fields, optional, required) {
  const octets = fields.reduce((sum, [, width]) => sum + width, 0);
  const words = (text) => text.split(" ").filter(Boolean);
  const may = name === "VERSION_NEG" ? [] : [...words(optional), ...words(required), "AUTH"];
  return { name, fields, octets, may: new Set(may), must: words(required) };
}
// 6: type, then least and most octets of the value and the step between
export const TLVS = new Map([
  [0x0001, ["PAD", 0, LARGEST, 1]],
  [0x0004, ["TIMERS", 24, 24, 1]],
  [0x0005, ["CAPS", 4, 4, 1]],
  [0x0008, ["DISC_DATA", 1, 512, 1]],
  [0x000b, ["REPORT", 16, 16, 1]],
  [0x000c, ["VERSIONS", 2, 16, 1]],
  [0x000d, ["QOS", 8, 8, 1]],
  [0x000e, ["REASON_TEXT", 1, 128, 1]],
  [0x000f, ["EVENT_ECHO", 8, 64, 8]],
  [0x0012, ["UNKNOWN_TLVS", 2, 32, 2]],
  [0x0015, ["CALLEE_ROOM", 4, 4, 1]],
  [0x8002, ["COOKIE", 8, 40, 1]],
  [0x8003, ["SESSION_DESC", 20, 36, 1]],
  [0x8006, ["CALLER_DATA", 1, 512, 1]],
  [0x8007, ["CALLEE_DATA", 1, 512, 1]],
  [0x8009, ["PAYLOAD", 0, LARGEST, 1]],
  [0x8010, ["AUTH", 28, 28, 1]],
  [0x8011, ["SEALED", 20, LARGEST, 1]],
  [0x8013, ["ADDR", 8, 20, 12]],
  [0x8014, ["NACK_RANGES", 8, 256, 8]],
]);
