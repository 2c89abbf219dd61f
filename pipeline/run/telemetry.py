"""A run's figures for an OpenTelemetry collector, where the variables of its specification name one; extra: `otel`.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline import __version__
from pipeline.run.voice import Begun, Broken, Ended, Event, Finished

# One of these is set where somebody wants figures sent.
_WHERE: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Tell whether the environment names a collector of figures, and does not forbid to send them."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporters = environment.get("OTEL_METRICS_EXPORTER", "otlp").split(",")
    return "otlp" in exporters and any(environment.get(name) for name in _WHERE)


class Telemetry:
    """A listener (`Voice.listeners`) that counts, and sends what it has counted now and then and at the end."""

    def __init__(self, warn: Callable[[str], None]) -> None:
        """Take who is told, once, that nothing can be sent.

        Raises:
            ImportError: the extra is not installed.
        """
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource

        logging.getLogger("opentelemetry").propagate = False  # stderr is ours
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        failed: list[bool] = []

        class Heard(OTLPMetricExporter):  # type: ignore[misc]
            """Says, in the thread that asks, whether what was sent has arrived."""

            def export(self, *arguments: Any, **named: Any) -> Any:
                """See `MetricExporter.export`."""
                result = super().export(*arguments, **named)
                if result is not MetricExportResult.SUCCESS:
                    failed.append(True)
                return result

        resource = Resource.create({"service.name": "colorize", "service.version": __version__})
        self._provider = MeterProvider([PeriodicExportingMetricReader(Heard())], resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("colorize", __version__)
        self._items = meter.create_counter("colorize.items", "{item}", "Items of this run that have an outcome.")
        self._seconds = meter.create_counter("colorize.work", "s", "Seconds that workers of this run took.")
        self._planned = meter.create_gauge("colorize.items.planned", "{item}", "Items that this run is to do.")
        self._exit = meter.create_gauge("colorize.exit_code", "1", "Exit code of the run; not there while it works.")
        self._warn, self._failed, self._said = warn, failed, False

    def __call__(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, Ended):
            self._items.add(1, {"status": str(event.result.status)})
            self._seconds.add(event.result.seconds)
        elif isinstance(event, Begun):
            self._planned.set(event.total)
        elif isinstance(event, Finished | Broken):
            code = event.summary.exit_code if isinstance(event, Finished) else event.error.exit_code
            self._exit.set(int(code))
            self._provider.shutdown()  # sends what is left
        if self._failed and not self._said:
            self._said = True
            self._warn("The figures cannot be sent to the OpenTelemetry collector that OTEL_* names. The run goes on.")
