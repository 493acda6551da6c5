"""Frames in and out of files.

In reading order:
    blocks        pcapng numbers and values        writer, reader   pcapng, written and read
    pcapng        the names of both                pcap             classic pcap, read
    frames        link headers to datagrams        internet         IP, UDP and ICMP headers
    groups        IGMP and MLD reports
    records       what a run file says besides frames
    recorder      writes a run file while the run goes on
    completeness  what a capture lacks
    batches       many packets of a long capture at once
    framefile     frames, one at a time or read anew whenever they are wanted
    recordfile    records, likewise
    spool         copies of what can be read only once
    deliveries    what became of each frame of a run
    sightings     what other captures show again on its way
    runfile       opens run files and other captures
    annotating    stores verdicts in run files
    onway         sees a routed run from its hosts
    passing       likewise, while a long run is read
    document      writes the tables of docs/run-file.md
"""

from mpwire.capture.annotating import annotate
from mpwire.capture.runfile import Frame, RunFile, RunWriter, open_run

__all__ = ["Frame", "RunFile", "RunWriter", "annotate", "open_run"]
