"""The whole way on made-up pictures: prepare, a few steps, stop, go on, export, the same answers in two engines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install 'colorize-archive[train]'")
onnx = pytest.importorskip("onnx", reason="export needs onnx: pip install 'colorize-archive[train]'")
onnxruntime = pytest.importorskip("onnxruntime", reason="the check after export needs onnxruntime")

from models.training import augment, checkpoint, dataset, views  # noqa: E402
from models.training.agree import TOLERANCE, largest_difference  # noqa: E402
from models.training.bins import CENTRES, prior_of, read_centres, rebalancing, soft_bins  # noqa: E402
from models.training.depthwise import Depthwise5x5  # noqa: E402
from models.training.export import Decoding, averaged_net, decoded_anew, export  # noqa: E402
from models.training.network import ColourNet, annealed_mean  # noqa: E402
from models.training.prepare import prepare  # noqa: E402
from models.training.train import Recipe, train  # noqa: E402
from models.training.warmstart import load_exported  # noqa: E402
from pipeline.nets.store.identify import resolve_file  # noqa: E402


@pytest.fixture(scope="module")
def data(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    assert prepare(sources, folder) == 30
    return folder


@pytest.fixture(scope="module")
def recipe(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    return Recipe(
        data, CENTRES, tmp_path_factory.mktemp("run"), imagenet=False, samples=24, batch=4, side=64, large_side=96,
        frozen=0, pairs=0.5, validate=2,
    )  # fmt: skip


def test_it_trains_goes_on_and_exports_alike_for_all_engines(recipe: Recipe) -> None:
    assert train(replace(recipe, samples=8))
    first = checkpoint.load(recipe.out / "last.pt")
    assert first["seen"] == 8

    # A longer budget takes up where the last one ended.
    first["progress"] = 8 / 24
    checkpoint.save(recipe.out / "last.pt", first)
    assert train(recipe)
    second = checkpoint.load(recipe.out / "last.pt")
    assert second["seen"] == 24
    changed = [name for name, tensor in second["net"].items() if not torch.equal(tensor, first["net"][name])]
    assert "head.weight" in changed
    assert "encoder.stem.weight" in changed

    centres = read_centres(CENTRES)
    for soften in (False, True):
        path = recipe.out / f"{soften}.onnx"
        decoding = Decoding(temperature=0.5, logit_adjustment=0.3, saturation=1.2, blur=0.6, soften=soften)
        export(averaged_net(recipe.out / "last.pt", centres), path, decoding)
        assert largest_difference(path, (64, 96)) <= TOLERANCE
        weights = [onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer]
        assert all(np.array_equal(each, each.astype(np.float16)) for each in weights if each.dtype == np.float32)
        spec = resolve_file(path, name="net")
        assert (spec.input_size, spec.answer.spread) == (192, True)
        session = onnxruntime.InferenceSession(path)
        assert session.get_inputs()[0].name == "L"
        assert session.run(None, {"L": np.zeros((1, 1, 128, 128), np.float32)})[0].shape == (1, 3, 32, 32)


def test_an_exported_net_comes_back_as_it_was(tmp_path: Path) -> None:
    centres = read_centres(CENTRES)
    torch.manual_seed(3)
    net = ColourNet(centres)
    lightness = torch.randn(1, 1, 64, 64) * 20
    with torch.no_grad():
        net.context.weight.normal_(0, 0.02)
        before = annealed_mean(net(lightness), net.centres, 0.65)
        shares = torch.softmax(net(lightness) / 0.65, 1)
        distance = (net.centres[None, :, :, None, None] - before[:, None]).square().sum(2)
        spread = ((shares * distance).sum(1) + 1).sqrt()
    decoding = Decoding(temperature=0.65, logit_adjustment=0, saturation=1, blur=0, soften=False)
    export(net, tmp_path / "net.onnx", decoding)
    told = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"L": lightness.numpy()})[0]
    assert np.abs(told[:, :2] - before.numpy()).max() < 0.05
    assert np.abs(told[:, 2] - spread.numpy()).max() < 0.05
    back = ColourNet(centres)
    load_exported(back, tmp_path / "net.onnx", 0.65)
    with torch.no_grad():
        after = annealed_mean(back(lightness), back.centres, 0.65)
    assert float((after - before).abs().max()) < 0.05  # weights were rounded to half precision
    export(decoded_anew(tmp_path / "net.onnx", centres, 0.65), tmp_path / "again.onnx", decoding)
    again = onnxruntime.InferenceSession(tmp_path / "again.onnx").run(None, {"L": lightness.numpy()})[0]
    assert np.abs(again - told).max() < 1e-3


@pytest.mark.parametrize(("stride", "padding", "size"), [(1, 2, (9, 12)), (2, 0, (11, 13))])
def test_the_quick_backward_pass_agrees_with_torchs(stride: int, padding: int, size: tuple[int, int]) -> None:
    torch.manual_seed(5)
    x = torch.randn(2, 6, *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(6, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(6, dtype=torch.float64, requires_grad=True)
    plain = torch.conv2d(x, weight, bias, stride, padding, 1, 6)
    gradient = torch.randn_like(plain)
    expected = torch.autograd.grad(plain, (x, weight, bias), gradient)
    quick = torch.autograd.grad(Depthwise5x5.apply(x, weight, bias, stride, padding), (x, weight, bias), gradient)
    for mine, theirs in zip(quick, expected, strict=True):
        assert torch.allclose(mine, theirs)


def test_the_logit_adjustment_takes_rare_colours_back(tmp_path: Path) -> None:
    centres = read_centres(CENTRES)
    saturated = []
    for adjustment in (0.0, 1.0):
        torch.manual_seed(6)
        net = ColourNet(centres)
        net.rarity.copy_(torch.from_numpy(1 + np.hypot(*centres.T) / 10))
        export(net, tmp_path / "net.onnx", Decoding(logit_adjustment=adjustment, blur=0))
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
        ab = session.run(None, {"L": np.zeros((1, 1, 64, 64), np.float32)})[0][:, :2]
        saturated.append(float(np.abs(ab).mean()))
    assert saturated[1] < saturated[0]


def test_one_worker_is_repeatable(recipe: Recipe, tmp_path: Path) -> None:
    results = []
    for name in ("one", "two"):
        train(replace(recipe, samples=8, out=tmp_path / name))
        results.append(checkpoint.load(tmp_path / name / "last.pt")["average"]["head.weight"])
    assert torch.equal(*results)


def test_aged_pictures_keep_their_colours_but_for_neutral_mounts(data: Path) -> None:
    photographs = dataset.load(data)
    rng = np.random.default_rng(0)
    lightness, chroma = augment.age(*photographs.draw(32, rng), rng, 64)
    assert lightness.shape == (32, 1, 64, 64)
    assert chroma.shape == (32, 2, 16, 16)
    assert float(lightness.min()) >= -50
    assert float(lightness.max()) <= 50
    paper = (chroma == 0).all(1)
    assert paper.any()  # a mount somewhere
    assert paper.float().mean() < 0.2
    moved = views.second_view(lightness, rng)
    assert moved.shape == lightness.shape


def test_every_true_colour_is_shared_by_its_nearest_bins() -> None:
    centres = read_centres(CENTRES)
    table = soft_bins(centres)
    nearest, shares = table.encode(torch.tensor([[20.0, -30.0], [127.0, 127.0]])[:, :, None, None])
    assert torch.allclose(shares.sum(1), torch.ones(2))
    assert centres[nearest[0, 0]].tolist() == [20, -30]
    prior = prior_of(np.zeros((1, 2, 8, 8), np.int8), centres)
    weights = rebalancing(prior, 0.5)
    assert float((prior * weights).sum()) == pytest.approx(1)
    assert weights[nearest[0, 0]] > weights[int(np.argmax(prior))]
