"""Decode MPW datagrams with nothing but `struct`, written from the octet diagrams alone.

It shares no line with the package under test, so a vector on which both agree says something.
It accepts well-formed datagrams only and asserts what it relies on.
"""

import struct

HEADER = struct.Struct("!2sBBBBHQQII")

BODIES = {
    0x01: ("!QBBBBIHH", "init_tag:t role jl leaf_dir planes next_data_seq max_payload -"),
    0x02: ("!I", "cookie_life_ms"),
    0x03: ("!QBBHI", "resp_tag:t state - queue_pos poll_ms"),
    0x04: ("!QIBBHI", "resp_tag:t assigned_id leaf_dir - max_payload next_data_seq"),
    0x05: ("!IIBBH", "assigned_id next_data_seq leaf_dir - -"),
    0x06: ("!BBHI", "reason - retry_after_s detail"),
    0x07: ("!QBBH", "init_tag:t reason - -"),
    0x08: ("!BBH", "result - -"),
    0x09: ("!BBHII", "reason cflags - final_seq side_final_seq"),
    0x0B: ("!BBHII", "ack_flags - - rcv_next final_seq"),
    0x0C: ("!BBHI", "reason - - echo_seq"),
    0x0D: ("!QII", "nonce:t next_data_seq -"),
    0x0E: ("!QIHH", "nonce:t rcv_next loss_permille -"),
    0x0F: ("!BBH", "acked_type - -"),
    0x10: ("!IBBH", "origin dflags hop -"),
    0x11: ("!BBH", "sflags - -"),
    0x12: ("!IIBBH", "origin trail_seq sflags - -"),
    0x13: ("!IBBH", "origin count - -"),
    0x14: ("!BBHIII", "action leaf_dir - member_id boundary_seq -"),
    0x15: ("!BBHQII", "kind leaf_dir hold_s member_tag:t lead_seq conflict_id"),
    0x16: ("!III", "origin rcv_next window"),
    0x17: ("!", ""),
}

OCTETS = {
    0x0008: "disc_data",
    0x000E: "reason_text",
    0x8002: "cookie",
    0x8006: "caller_data",
    0x8007: "callee_data",
    0x8009: "payload",
    0x8011: "sealed",
}


def decode(data: bytes) -> dict[str, object]:
    """Decode one datagram into plain values; tags and octets become hexadecimal text."""
    magic, version, kind, flags, attempt, length, session, tag, seq, sender = HEADER.unpack(
        data[:32]
    )
    assert magic == b"mp"
    assert length == len(data)
    message: dict[str, object] = {
        "version": version,
        "type": kind,
        "flags": flags,
        "attempt": attempt,
        "session_id": f"{session:x}",
        "destination_tag": f"{tag:x}",
        "seq": seq,
        "sender_id": sender,
    }
    if kind == 0:
        count = data[32]
        assert data[33:36] == bytes(3)
        assert data[36 + count :] == bytes(-count % 4)
        return {**message, "versions": list(data[36 : 36 + count])}
    packing, names = BODIES[kind]
    rest = 32 + struct.calcsize(packing)
    for name, value in zip(names.split(), struct.unpack(packing, data[32:rest]), strict=True):
        if name == "-":
            assert value == 0
        elif name.endswith(":t"):
            message[name[:-2]] = f"{value:x}"
        else:
            message[name] = value
    message["tlvs"] = list(tlvs(data[rest:]))
    return message


def tlvs(data: bytes) -> list[list[object]]:
    """Decode the TLVs that fill these octets."""
    found = []
    while data:
        kind, length = struct.unpack("!HH", data[:4])
        padded = (length + 3) // 4 * 4
        assert len(data) >= 4 + padded
        assert not any(data[4 + length : 4 + padded])
        found.append(tlv(kind, data[4 : 4 + length]))
        data = data[4 + padded :]
    return found


def tlv(kind: int, value: bytes) -> list[object]:
    """Decode the value of one TLV; unknown ones keep their number as the name."""
    if kind in OCTETS:
        return [OCTETS[kind], value.hex()]
    if kind == 0x0001:
        assert not any(value)
        return ["pad_octets", len(value)]
    if kind == 0x0004:
        return ["timers", list(struct.unpack("!HHIIIIHBB", value))]
    if kind == 0x0005:
        return ["caps", int.from_bytes(value, "big")]
    if kind == 0x000B:
        return ["report", list(struct.unpack("!IIII", value))]
    if kind == 0x000C:
        return ["versions", list(value)]
    if kind == 0x000D:
        return ["qos", list(struct.unpack("!II", value))]
    if kind == 0x000F:
        return ["event_echo", [list(one) for one in struct.iter_unpack("!BBHI", value)]]
    if kind == 0x0012:
        return ["unknown_tlvs", [code for (code,) in struct.iter_unpack("!H", value)]]
    if kind == 0x0015:
        return ["callee_room", int.from_bytes(value, "big")]
    if kind == 0x8003:
        planes, family, port, group_tag, *rest = struct.unpack("!BBHQIHBB", value[:20])
        return ["session_desc", [planes, family, port, f"{group_tag:x}", *rest, value[20:].hex()]]
    if kind == 0x8010:
        key, algorithm, reserved, counter = struct.unpack("!HBBQ", value[:12])
        assert reserved == 0
        return ["auth", [key, algorithm, counter, value[12:].hex()]]
    if kind == 0x8013:
        family, reserved, port = struct.unpack("!BBH", value[:4])
        assert reserved == 0
        return ["addr", [family, port, value[4:].hex()]]
    if kind == 0x8014:
        return ["ranges", [list(one) for one in struct.iter_unpack("!II", value)]]
    return [kind, value.hex()]
