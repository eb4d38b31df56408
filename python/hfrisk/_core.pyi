"""The compiled part of hfrisk. Use it through `hfrisk.parse`, `hfrisk.open` and `hfrisk.convert`."""

from collections.abc import Callable, Sequence
from datetime import datetime
from os import PathLike
from typing import Any, Literal, TypedDict, final, type_check_only

import numpy as np
from numpy.typing import NDArray

__version__: str
build_profile: Literal["release", "debug"]
"""A debug build is many times slower; importing one warns."""
instruction_sets: list[str]
"""What this machine has of the instruction sets that the kernels are compiled for, such as `avx2`; empty: portable kernels only."""

@type_check_only
class _Progress(TypedDict):
    num_files: int
    num_done: int
    num_resumed: int
    num_rejected: int
    num_bytes: int
    seconds: float

@type_check_only
class _Summary(TypedDict):
    num_files: int
    num_converted: int
    num_rejected: int
    rejections: dict[str, int]
    flags: dict[str, int]
    num_skipped: int
    num_duplicates: int
    num_new_files: int
    num_new_duplicates: int
    num_new_rejected: int
    is_complete: bool
    num_files_read: int
    num_bytes: int
    seconds: float

@type_check_only
class _Verification(TypedDict):
    num_rows: int
    num_recordings: int
    num_files: int
    num_bytes: int
    damages: list[tuple[str, int | None, str]]
    seconds: float

@final
class Recording:
    """One ECG as its file tells it. Holds nothing that names a person, unless a statement does."""

    @property
    def signal(self) -> NDArray[np.float32]:
        """Microvolts, float32 (12, T), leads I II III aVR aVL aVF V1-V6; T is 5000, or the file's own with `native=True`."""

    @property
    def sampling_rate_hz(self) -> float:
        """Rate of `signal`: 500, or the file's own with `native=True`."""

    @property
    def native_sampling_rate_hz(self) -> float:
        """The file's own rate."""

    @property
    def lead_names(self) -> tuple[str, ...]:
        """The twelve leads in the order of `signal`."""

    @property
    def lsb_uv(self) -> dict[str, float]:
        """Microvolts a count of each lead that the file stores (I II V1-V6, or all twelve where four do not follow from I and II)."""

    @property
    def acquired_at(self) -> datetime | None:
        """Date and time on the cart's clock, without a time zone; None when absent, masked or impossible."""

    @property
    def age_years(self) -> float | None:
        """Age at acquisition."""

    @property
    def sex(self) -> Literal["male", "female"] | None:
        """Sex as the cart knew it."""

    @property
    def device(self) -> str | None:
        """Model of the cart, such as `MAC55`."""

    @property
    def dialect(self) -> str:
        """Family of XML, such as `muse`."""

    @property
    def measurements(self) -> dict[str, int | None]:
        """The cart's measurements after the physician's edit; keys as in `hfrisk.records.MEASUREMENTS`, None for what is absent."""

    @property
    def original_measurements(self) -> dict[str, int | None]:
        """The same as the machine wrote them."""

    @property
    def statements(self) -> list[str]:
        """Lines of the diagnosis; those that the reader struck out are left out."""

    @property
    def flags(self) -> frozenset[str]:
        """What is noteworthy; names as in `hfrisk.records.FLAGS`."""

    @property
    def payload_hash(self) -> int:
        """Hash of the stored counts: equal for the same recording under another name or with an edited header."""

    @property
    def num_leads_stored(self) -> int:
        """How many of the standard twelve the file stores."""

@final
class BatchReader:
    """Reads rows of a finished store with threads of its own and the interpreter released."""

    def __new__(cls, path: str | PathLike[str], num_threads: int = 0, access: str = "auto") -> BatchReader:
        """Open a Zarr group; 0 threads takes one a core, at most 8.

        Access is `mapped`, `pread`, or `auto`: mapped when the shards fit into three quarters of the available memory.

        Raises:
            StoreError: The store is absent, of another layout, or a shard's index is damaged.
            ValueError: Another access.
        """

    @property
    def access(self) -> str:
        """How shard files are read: `mapped` or `pread`."""

    @property
    def num_rows(self) -> int:
        """Rows, those of rejected files included."""

    @property
    def codec(self) -> str:
        """`ecgpack`, `zstd` or `none`."""

    @property
    def num_threads(self) -> int:
        """Threads that decode."""

    def read_into(self, rows: NDArray[np.int64], out: NDArray[np.float32]) -> None:
        """Write microvolts of `rows` (B,) into `out`, C-contiguous, B x 12 x 5000 values; NaN for a row without a recording.

        Raises:
            StoreError: A row does not exist, is damaged, or the process is a fork of the one that opened the reader.
            ValueError: `out` has another size.
        """

    def read_counts_into(self, rows: NDArray[np.int64], out: NDArray[np.int16], lsb_uv: NDArray[np.float32]) -> None:
        """Write the counts of I II V1-V6 of `rows` (B,) into `out`, B x 8 x 5000 values, and their gains into `lsb_uv`, B x 8 values.

        Raises:
            NotCountsError: A record is not stored as counts of eight leads.
            StoreError: As `read_into`.
            ValueError: An output has another size.
        """

    def chunk_bytes(self, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the size of each row's chunk; 0 for a row without a recording.

        Raises:
            StoreError: A row does not exist.
        """

    def read_chunks_into(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Write the chunks of `rows` as they are stored, one after the other, into `out`; those of ecgpack are checked.

        Raises:
            StoreError: As `read_into`.
            ValueError: `out` has another size than all chunks together.
        """

    def holding(self, rows: NDArray[np.int64]) -> BatchReader:
        """Return the same reader with the chunks of `rows` in memory; other rows are read from the files.

        Raises:
            StoreError: As `read_into`, and when there is no memory for them.
        """

@final
class SharedConversion:
    """Leads a conversion whose shards others convert. While it lives, nobody but they may write to the folder; when it ends, they stop."""

    def __new__(
        cls,
        sources: Sequence[str | PathLike[str]],
        out: str | PathLike[str],
        *,
        codec: str = "ecgpack",
        strict: bool = False,
        overwrite: bool = False,
        keep_statements: bool = False,
        skip_by: str = "file",
        max_file_mb: float | None = None,
        on_progress: Callable[[_Progress], Any] | None = None,
    ) -> SharedConversion:
        """Make or continue the plan of a conversion; arguments are those of `convert`.

        Raises:
            StoreError: As `convert`.
            KeyboardInterrupt: Ctrl-C.
        """

    @property
    def plan_id(self) -> int:
        """What tells this plan from any other."""

    @property
    def num_files(self) -> int:
        """Files in the plan."""

    @property
    def shards(self) -> list[tuple[int, int]]:
        """The shards that are to be done, and the number of files in each."""

    def first_source(self, shard: int) -> str:
        """Return the path of a shard's first file, or of the archive that holds it."""

    def close(
        self,
        *,
        num_threads: int = 0,
        num_rejected: int = 0,
        num_bytes: int = 0,
        on_progress: Callable[[_Progress], Any] | None = None,
    ) -> _Summary:
        """Close the store when every shard is done; the counts are those of the others, for the summary.

        Raises:
            StoreError: A shard is missing, or somebody is still writing.
            KeyboardInterrupt: Ctrl-C.
        """

    def release(self) -> None:
        """Leave the folder to others; the same conversion may be begun again."""

@final
class ShardConverter:
    """Converts shards that a `SharedConversion`, in any process that sees the folder, hands out; reads the plan once."""

    def __new__(cls, out: str | PathLike[str]) -> ShardConverter:
        """Name the folder; it is not looked at yet."""

    @property
    def plan_id(self) -> int:
        """What tells the plan in the folder from any other.

        Raises:
            StoreError: There is none.
        """

    def convert(
        self, plan_id: int, shards: Sequence[int], *, num_threads: int = 1, on_progress: Callable[[_Progress], Any] | None = None
    ) -> _Progress:
        """Convert shards of the plan `plan_id`; those that are done already are left alone.

        Raises:
            StoreError: The folder holds another plan, or a file cannot be written.
            KeyboardInterrupt: The one who hands out shards has ended, or Ctrl-C.
        """

def available_memory() -> int | None:
    """Return the bytes that this process may still take, limits of control groups included; None where the system does not say."""

def parse(
    source: str | PathLike[str] | bytes,
    *,
    native: bool = False,
    strict: bool = False,
    keep_statements: bool = True,
    max_file_mb: float | None = None,
) -> Recording:
    """Read one ECG.

    Args:
        source: A path, or the file's bytes.
        native: Keep the file's own sampling rate and length.
        strict: Refuse what would otherwise only be flagged (CRC mismatch, duplicate lead).
        keep_statements: Keep the lines of the diagnosis.
        max_file_mb: Refuse larger files; 64 unless told otherwise.

    Raises:
        ParseError: The file is no recording; `kind` says why.
        ValueError: `max_file_mb` is not positive.
        OSError: The file cannot be opened (FileNotFoundError, PermissionError).
    """

def convert(
    sources: Sequence[str | PathLike[str]],
    out: str | PathLike[str],
    *,
    num_threads: int = 0,
    codec: str = "ecgpack",
    strict: bool = False,
    overwrite: bool = False,
    keep_statements: bool = False,
    skip_by: str = "file",
    max_file_mb: float | None = None,
    memory: int | None = None,
    part: tuple[int, int] | None = None,
    on_progress: Callable[[_Progress], Any] | None = None,
) -> _Summary:
    """Convert files to a store, or continue; see `hfrisk.convert.convert`.

    Raises:
        StoreError: The run cannot go on.
        KeyboardInterrupt: Ctrl-C; the same call continues.
    """

def finish(out: str | PathLike[str], *, num_threads: int = 0, on_progress: Callable[[_Progress], Any] | None = None) -> _Summary:
    """Close a store whose shards are all done; see `hfrisk.convert.finish`.

    Raises:
        StoreError: A shard is missing, or somebody is still writing.
        KeyboardInterrupt: Ctrl-C.
    """

def verify(out: str | PathLike[str], *, num_threads: int = 0, on_progress: Callable[[_Progress], Any] | None = None) -> _Verification:
    """Read a finished store and tell what is damaged; see `hfrisk.convert.verify`.

    Raises:
        StoreError: There is no store, or it is not complete.
        KeyboardInterrupt: Ctrl-C.
    """

def ecgpack_encode(values: NDArray[np.float32]) -> bytes:
    """Pack float32 values (leads, T) into one ecgpack chunk, bit for bit."""

def ecgpack_decode(chunk: bytes, out: NDArray[np.float32]) -> None:
    """Unpack an ecgpack chunk into `out`, C-contiguous, as many values as were packed.

    Raises:
        StoreError: The chunk is damaged or holds another number of values.
    """
