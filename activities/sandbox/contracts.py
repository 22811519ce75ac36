"""Running code that nobody vouches for."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr

from activities.artifacts.contracts import Digest, Text, digest_of
from activities.artifacts.files import Snapshot
from catalogs.row import Language
from temporal.contract import Contract, StepRef
from temporal.errors import InvalidSettings, PrismError
from temporal.names import ErrorCode


class SandboxUnavailable(PrismError):
    """The sandbox itself could not start; the code was not run."""

    code = ErrorCode.SANDBOX_UNAVAILABLE
    retryable = True


class SecretNotText(SandboxUnavailable):
    """A value cannot be given to a program; trying again cannot help."""

    retryable = False


class WorkspaceTooLarge(SandboxUnavailable):
    """The files that a program would find cannot be laid; trying again cannot help."""

    retryable = False


class ProgramForbidden(PrismError):
    """The policy does not let a program run; trying again cannot help."""

    code = ErrorCode.POLICY_DENIED


class InvalidSandbox(InvalidSettings):
    """The settings of a sandbox do not name one that can be used."""


class ExitReason(StrEnum):
    """Why the program ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED = "killed"


class Limits(Contract):
    """What a program may use.

    Args:
        wall_seconds: Wall clock time.
        cpu_seconds: Processor time.
        memory_bytes: Address space.
        processes: Processes and threads.
        file_bytes: Largest file it may write.
        output_bytes: How much of each of stdout and stderr is kept.
        workspace_bytes: How large the files may be together that it finds, and those that are kept of it.
        workspace_files: How many of each.
    """

    wall_seconds: PositiveFloat = 30.0
    cpu_seconds: PositiveInt = 20
    memory_bytes: PositiveInt = 512 * 1024 * 1024
    processes: PositiveInt = 64
    file_bytes: PositiveInt = 64 * 1024 * 1024
    output_bytes: PositiveInt = 256 * 1024
    workspace_bytes: PositiveInt = 16 * 1024 * 1024
    workspace_files: PositiveInt = 256


class UpstreamFiles(Contract):
    """The files of a row that this one depends on."""

    row: str
    files: Snapshot


class WorkspaceRequest(Contract):
    """The folder that a program works in: what it finds there, and what is kept of it.

    A program that is run again, after a crash or in another round of a review, finds the same again.

    Args:
        keep: Patterns of the files that are kept.
        base: What lies in the folder itself: the files of the row that this one goes on with.
        inputs: What lies below ``inputs/<row id>/``.
    """

    keep: tuple[str, ...] = ()
    base: Snapshot | None = None
    inputs: tuple[UpstreamFiles, ...] = ()


class SandboxRequest(Contract):
    """A program and what it may read.

    Args:
        code: Source text; when ``extract`` is set, the first fenced block of it is the program.
        stdin: Given to the program's standard input: the model's output.
        secrets: References to secrets by environment variable; values are read by the activity.
        risk: The row's, for the policy.
        labels: The row's, for the policy.
        policy: Digest of the policy that the run keeps to; ``None`` follows the newest.
        workspace: Its folder of files; ``None`` where it has none.
        key: Under which its result is kept: whoever asks again is told what came of it, and it does not run once more.
            Empty for a program that runs whenever it is asked for.
    """

    step: StepRef
    language: Language
    code: Text
    extract: bool = False
    stdin: Text | None = None
    secrets: dict[str, str] = Field(default_factory=dict)
    limits: Limits = Limits()
    risk: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    policy: Digest | None = None
    workspace: WorkspaceRequest | None = None
    key: str = ""

    @property
    def asked(self) -> Digest:
        """Digest of the program and its input."""
        stdin = self.stdin.digest if self.stdin else ""
        return digest_of(f"{self.language.value}\n{self.code.digest}\n{stdin}".encode())


class SandboxResult(Contract):
    """How the program ended and what it printed.

    Args:
        policy: Digest of the policy that let it run.
        limits: What it might use.
        before: Its folder as it found it.
        files: What is kept of the folder as it left it; ``None`` where it failed: what it did there is undone.
        unkept: Why nothing is kept of what it left, though it ended well.
    """

    reason: ExitReason
    exit_code: int | None
    stdout: Text
    stderr: Text
    truncated: bool = False
    seconds: float = 0.0
    policy: Digest | None = None
    limits: Limits | None = None
    before: Snapshot | None = None
    files: Snapshot | None = None
    unkept: str = ""


class Workspace(Contract):
    """A program's folder, by value.

    Args:
        files: What it finds, by path within the folder.
        keep: Patterns of the files that are kept.
    """

    files: dict[str, bytes] = Field(default_factory=dict)
    keep: tuple[str, ...] = ()


class Execution(Contract):
    """A program for a backend: everything by value; never crosses the Temporal boundary.

    Args:
        environment: Variables that only the program sees: not the host's processes, nor command lines.
        key: The same when the same call is made again, as after a crash; a backend that outlives the worker then
            finds the program it started. Empty when there is none.
        workspace: Its folder of files; ``None`` where it has none.
        heard: Takes what it prints, on either stream, as it comes; a cluster tells it at the end only.
    """

    language: Language
    code: str
    stdin: str = ""
    environment: dict[str, SecretStr] = Field(default_factory=dict)
    limits: Limits = Limits()
    key: str = ""
    workspace: Workspace | None = None
    heard: Callable[[bytes], None] | None = Field(default=None, exclude=True, repr=False)


class ExecutionResult(Contract):
    """What a backend reports: everything by value.

    Args:
        files: What is kept of its folder, by path; nothing where it did not end well.
        unkept: Why nothing is kept, though it ended well.
    """

    reason: ExitReason
    exit_code: int | None
    stdout: str
    stderr: str
    truncated: bool = False
    seconds: float = 0.0
    files: dict[str, bytes] = Field(default_factory=dict)
    unkept: str = ""


class ProgramResults(Protocol):
    """Keeps what programs came to, under idempotency keys."""

    async def kept(self, key: str, asked: Digest) -> SandboxResult | None:
        """Return what the same program came to with the same input under a key, if it ran."""
        ...

    async def keep(self, key: str, asked: Digest, result: SandboxResult) -> None:
        """Keep a result."""
        ...


class Sandbox(Protocol):
    """Runs one program, isolated."""

    async def execute(self, execution: Execution) -> ExecutionResult:
        """Run the program to its end or its limits; a cancelled call kills it.

        Raises:
            SandboxUnavailable: The program could not be started in isolation.
        """
        ...
