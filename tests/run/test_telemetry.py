"""Figures for OpenTelemetry, as a collector gets them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="sends figures; extra: otel")

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from pipeline.run.reported import Reporting, _metrics
from pipeline.run.telemetry import is_wanted
from tests.conftest import Colorize, write_archive

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector() -> Iterator[tuple[str, list[Any]]]:
    """Where it is, and what it got."""
    got: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            data = gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data
            assert self.path == "/v1/metrics"
            got.append(ExportMetricsServiceRequest.FromString(data))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", got
    server.shutdown()
    server.server_close()


def figures(request: Any) -> dict[str, float]:
    """What was sent, by name and status."""
    found = {}
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in (metric.sum if metric.HasField("sum") else metric.gauge).data_points:
            status = "".join(f" {each.value.string_value}" for each in point.attributes)
            found[metric.name + status] = point.as_double or point.as_int
    return found


def prometheus(path: Path) -> dict[str, float]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_collector_gets_what_the_file_of_metrics_holds(
    tmp_path: Path, collector: tuple[str, list[Any]], colorize: Colorize, tiny_net: Path
) -> None:
    write_archive(tmp_path / "scans", 3)
    (tmp_path / "scans" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    where, got = collector
    options = ("--model", tiny_net, "--engine", "opencv", "--precision", "float32", "--executor", "serial")
    metrics = tmp_path / "colorize.prom"
    run = colorize(
        "run", tmp_path / "scans", "-o", tmp_path / "colour", *options, "--metrics", metrics, **{ENDPOINT: where}
    )
    assert run.returncode == 3, run.stderr
    sent, kept = figures(got[-1]), prometheus(metrics)
    assert sent == {
        "colorize.items done": 3,
        "colorize.items failed": 1,
        "colorize.items.planned": 4,
        "colorize.exit_code": 3,
        "colorize.work": pytest.approx(kept["colorize_work_seconds"], abs=0.01),
    }
    assert kept['colorize_items{status="done"}'] == 3
    service = {each.key: each.value.string_value for each in got[-1].resource_metrics[0].resource.attributes}
    assert service["service.name"] == "colorize"


def test_a_collector_that_is_not_there_is_said_once_and_costs_nothing_else(
    tmp_path: Path, colorize: Colorize, tiny_net: Path
) -> None:
    write_archive(tmp_path / "scans", 2)
    options = ("--model", tiny_net, "--engine", "opencv", "--precision", "float32", "--executor", "serial")
    nobody = {ENDPOINT: "http://127.0.0.1:9", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    run = colorize("run", tmp_path / "scans", "-o", tmp_path / "colour", *options, **nobody)
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("OpenTelemetry") == 1, run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("OTEL_METRIC_EXPORT_INTERVAL", "0"), ("OTEL_METRICS_EXEMPLAR_FILTER", "odd")]
)
def test_a_variable_that_makes_no_sense_is_said_and_costs_only_the_figures(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:9")
    monkeypatch.setenv(name, value)
    said: list[str] = []
    assert list(_metrics(Reporting(), said.append)) == []
    assert len(said) == 1
    assert said[0].startswith("The figures cannot be sent as OTEL_* says: ")
    assert "\n" not in said[0]


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({ENDPOINT: "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c:4318/v1/metrics"}, True),
        ({ENDPOINT: "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({ENDPOINT: "http://c:4318", "OTEL_METRICS_EXPORTER": "none"}, False),
        ({ENDPOINT: "http://c:4318", "OTEL_METRICS_EXPORTER": "prometheus,otlp"}, True),
    ],
)
def test_the_standard_s_variables_decide(variables: dict[str, str], wanted: bool) -> None:
    assert is_wanted(variables) is wanted
