"""The stories of tests/run, told of an OUTPUT in a bucket."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs", reason="writes s3://; extra: storage")

from pipeline.archive.state import housed
from pipeline.ground import inside, uploads
from pipeline.ground.storage import located
from tests.run.stories import OWN, PERSONAL, Killed
from tests.run.test_stories import nights
from tests.storage.servers import Bucket


@dataclass
class InBucket:
    """Implements `Lying` for a bucket: a folder is what has objects below its name."""

    bucket: Bucket
    place: str
    state: Path
    moments = 60

    def home(self) -> Path:
        return housed(located(f"s3://museum/{self.place}"), self.state)

    def _keys(self) -> list[str]:
        return [each.removeprefix(f"{self.place}/") for each in self.bucket.keys(f"{self.place}/")]

    def things(self) -> dict[str, str]:
        found = {}
        for place in self._keys():
            above, _, name = place.rpartition("/")
            if name == PERSONAL:
                found[above] = f"folder {self.read(place).decode()}"
            elif place.partition("/")[0] not in OWN:
                found.setdefault(place, hashlib.sha256(self.read(place)).hexdigest())
        return found

    def read(self, place: str) -> bytes:
        try:
            return self.bucket.get(f"{self.place}/{place}")
        except self.bucket.client.exceptions.NoSuchKey:
            raise FileNotFoundError(place) from None

    def write(self, place: str, data: bytes) -> None:
        self.bucket.put(f"{self.place}/{place}", data)

    def remove(self, place: str) -> None:
        for each in self._keys():
            if each == place or each.startswith(f"{place}/"):
                self.bucket.remove(f"{self.place}/{each}")

    def exchange(self, place: str, mark: str, *, folder: bool) -> None:
        if folder:
            self.remove(place)
        self.write(f"{place}/{PERSONAL}" if folder else place, mark.encode())

    @contextmanager
    def killed_at(self, moment: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let the program die just before or just after the n-th change of the bucket."""
        calls, dead = 0, False

        def dying(call: Callable[..., Any]) -> Callable[..., Any]:
            def called(*given: Any, **named: Any) -> Any:
                nonlocal calls, dead
                if dead:
                    raise Killed
                calls += threading.current_thread() is threading.main_thread()
                dead = calls * 2 == moment
                came = None if dead else call(*given, **named)
                dead = dead or calls * 2 + 1 == moment
                if dead:
                    raise Killed
                return came

            return called

        remove_tree = inside.remove_tree
        with monkeypatch.context() as patch:
            for name in ("carry", "rename", "remove"):
                patch.setattr(uploads, name, dying(getattr(uploads, name)))
            patch.setattr(inside, "remove_tree", lambda *given: None if dead else remove_tree(*given))
            yield


@pytest.mark.parametrize("seed", [1])
def test_a_story_there(
    tmp_path: Path, tiny_net: Path, seed: int, bucket: Bucket, reached: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    nights(tmp_path, tiny_net, seed, monkeypatch, InBucket(bucket, "colour", tmp_path / "state"), count=2)


@pytest.mark.soak
@pytest.mark.parametrize("hundred", range(100, 400, 100))
def test_many_stories_there(
    tmp_path: Path, tiny_net: Path, hundred: int, bucket: Bucket, reached: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for seed in range(hundred, hundred + 100):
        folder = tmp_path / str(seed)
        nights(folder, tiny_net, seed, monkeypatch, InBucket(bucket, f"colour/{seed}", folder / "state"))
