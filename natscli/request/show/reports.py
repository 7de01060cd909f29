"""The summary of a run in files: as JSON, and its latencies as an HdrHistogram log."""

from __future__ import annotations

import io
import json
import time
from importlib.util import find_spec

from natscli.environment import Environment
from natscli.errors import InputError
from natscli.output.streams import write_file
from natscli.request.options import RequestOptions
from natscli.request.summary import Summary
from natscli.system.files import check_apart, check_target
from natscli.text import bytes_for_programs

#: The largest latency that a log can hold: an hour, in nanoseconds.
_LARGEST = 3_600_000_000_000


def check_reports(options: RequestOptions) -> None:
    """Refuse files that cannot be written, or are something else as well, and a log without the library for it.

    The summary may replace that of the baseline, which is read before.

    Raises:
        InputError: see above.
    """
    summary = ("--summary-json", options.summary_json)
    others = [("--hdr", options.hdr), ("--report", options.report), ("--output", options.output)]
    for where, path in (summary, *others):
        if path not in (None, "-"):
            check_target(path, where)
    others.append(("--record", options.record))
    check_apart([("--body-file", options.body_file)], [summary, *others])
    check_apart([("--baseline", options.baseline)], others)
    if options.hdr is not None and find_spec("hdrh") is None:
        from natscli.system.installing import extra_command

        raise InputError("--hdr needs the extra 'hdr'", hint=extra_command("hdr"))


def write_reports(options: RequestOptions, summary: Summary, environment: Environment) -> None:
    """Write the files that `options` name.

    Raises:
        OSError: one could not be written.
    """
    if options.summary_json is not None:
        record = summary.as_json()
        # Only these, the rest is names and numbers: a password that is one of them must not break the JSON.
        for failures in record["failures"].values():
            failures["example"] = environment.redactor.redact(failures["example"])
        text = json.dumps(record, indent=2, ensure_ascii=False)
        write_file(options.summary_json, bytes_for_programs(f"{text}\n"), environment)
    if options.hdr is not None:
        write_file(options.hdr, _hdr_log(summary).encode(), environment)


def _hdr_log(summary: Summary) -> str:
    """One interval with all latencies, in nanoseconds; its maximum is written in milliseconds."""
    from datetime import datetime

    from hdrh.histogram import HdrHistogram
    from hdrh.log import HistogramLogWriter

    histogram = HdrHistogram(1, _LARGEST, 3)
    for value, count in summary.rtt.items():
        histogram.record_value(min(max(value, 1), _LARGEST), count)
    end = time.time()
    # Whole milliseconds: readers drop what is before the start as it is written below, which must not be rounded up.
    start = int((end - summary.seconds) * 1000) / 1000
    histogram.set_start_time_stamp(start * 1000)
    histogram.set_end_time_stamp(end * 1000)
    file = io.StringIO()
    writer = HistogramLogWriter(file)
    writer.base_time = start * 1000
    writer.output_comment("[pynats request: latencies in nanoseconds]")
    writer.output_log_format_version()
    # The library's own `output_start_time` fails.
    writer.output_comment(f"[StartTime: {start:.3f} (seconds since epoch), {datetime.fromtimestamp(start)}]")
    writer.output_base_time(start * 1000)
    writer.output_legend()
    writer.output_interval_histogram(histogram)
    return file.getvalue()
