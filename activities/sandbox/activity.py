"""Activities that run code nobody vouches for."""

from pydantic import SecretStr
from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.artifacts.files import Files, Snapshot
from activities.heartbeat import beating
from activities.policy.engine import PolicyEngine
from activities.policy.sandbox_contracts import Permission
from activities.sandbox.capture import Printing
from activities.sandbox.contracts import (
    Execution,
    ExecutionResult,
    ExitReason,
    Limits,
    ProgramForbidden,
    ProgramResults,
    Sandbox,
    SandboxRequest,
    SandboxResult,
    SandboxUnavailable,
    Workspace,
    WorkspaceRequest,
    WorkspaceTooLarge,
)
from activities.sandbox.extraction import extract_program
from activities.secrets.contracts import SecretsForbidden
from activities.secrets.rows import RowSecrets
from catalogs.file_patterns import INPUTS
from temporal.names import ActivityName
from temporal.redaction import PROCESS


class SandboxActivities:
    """Runs programs in a sandbox.

    Args:
        sandbox: Runs one program, isolated.
        texts: Reads programs and keeps what they print.
        policy: Decides which programs run, and what they may use.
        secrets: Reads what programs find in their environment; without it there is nothing to be found.
        files: Reads the files that programs find, and keeps those that they leave; without it there are none.
        results: Keeps what programs came to that are asked for under a key; without it each runs anew.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        texts: Texts,
        policy: PolicyEngine,
        secrets: RowSecrets | None = None,
        files: Files | None = None,
        results: ProgramResults | None = None,
    ) -> None:
        self._sandbox = sandbox
        self._texts = texts
        self._policy = policy
        self._secrets = secrets
        self._files = files
        self._results = results

    @activity.defn(name=ActivityName.EXECUTE)
    async def execute(self, request: SandboxRequest) -> SandboxResult:
        """Run one program; that it fails is a result, not an error."""
        self._refuse_secrets(request)
        permission = await self._policy.permit(request)
        if not permission.allow:
            reasons = "; ".join(permission.deny) or "it gives no reason"
            raise ProgramForbidden(f"the policy does not let this program run: {reasons}", policy=permission.policy)
        if request.key and self._results and (kept := await self._results.kept(request.key, request.asked)):
            return kept
        result = await self._run(request, permission)
        if request.key and self._results:
            await self._results.keep(request.key, request.asked, result)
        return result

    async def _run(self, request: SandboxRequest, permission: Permission) -> SandboxResult:
        limits = permission.lowered(request.limits)
        code = await self._texts.read(request.code)
        workspace = await self._laid(request.workspace, limits) if request.workspace else None
        printing = Printing(limits.output_bytes)
        execution = Execution(
            language=request.language,
            code=extract_program(code, request.language) if request.extract else code,
            stdin=await self._texts.read(request.stdin) if request.stdin else "",
            environment=await self._environment(request),
            limits=limits,
            key=_key(),
            workspace=workspace,
            heard=printing.heard,
        )
        # What the folder held before is as much a part of the record as what is kept of it.
        before = await self._kept(workspace.files) if workspace else None
        result = await beating(self._sandbox.execute(execution), printing.tell)
        unkept = PROCESS.redacted(result.unkept or _with_secret(result.files))
        good = workspace is not None and bool(workspace.keep) and result.reason is ExitReason.OK and not unkept
        return SandboxResult(
            reason=result.reason,
            exit_code=result.exit_code,
            stdout=await self._texts.keep(_told(result.stdout, result)),
            stderr=await self._texts.keep(_told(result.stderr, result)),
            truncated=result.truncated,
            seconds=result.seconds,
            policy=permission.policy,
            limits=limits,
            before=before,
            files=await self._kept(result.files) if good else None,
            unkept=unkept,
        )

    async def _laid(self, request: WorkspaceRequest, limits: Limits) -> Workspace:
        """Return the folder that a program finds.

        Raises:
            WorkspaceTooLarge: The files that belong in it are too many, too large, or in each other's place.
        """
        if self._files is None:
            raise SandboxUnavailable("there is no store of files where this program is to run")
        found = await self._files.read(request.base)
        for one in request.inputs:
            for path, data in (await self._files.read(one.files)).items():
                if found.setdefault(f"{INPUTS}/{one.row}/{path}", data) is not data:
                    raise WorkspaceTooLarge(f"two rows leave {INPUTS}/{one.row}/{path}: give one of them another id")
        size = sum(map(len, found.values()))
        if size > limits.workspace_bytes or len(found) > limits.workspace_files:
            raise WorkspaceTooLarge(
                f"the rows before leave {len(found)} files of {size} bytes together; a program finds at most "
                f"{limits.workspace_files} files of {limits.workspace_bytes} bytes: have them keep less"
            )
        return Workspace(files=found, keep=request.keep)

    async def _kept(self, files: dict[str, bytes]) -> Snapshot | None:
        return await self._files.keep(files) if self._files is not None else None

    async def _environment(self, request: SandboxRequest) -> dict[str, SecretStr]:
        if not request.secrets or self._secrets is None:
            return {}
        return await self._secrets.environment(request.step, request.secrets)

    def _refuse_secrets(self, request: SandboxRequest) -> None:
        if request.secrets and (self._secrets is None or request.extract):
            raise SecretsForbidden(
                "only the program of a catalog gets secrets, and only where there is a store of them"
            )


def _key() -> str:
    """Return what all attempts of this activity have in common, and no other activity has."""
    info = activity.info()
    return f"{info.workflow_id}/{info.workflow_run_id}/{info.activity_id}"


def _told(printed: str, result: ExecutionResult) -> str:
    return PROCESS.redacted_cut(printed) if result.truncated else PROCESS.redacted(printed)


def _with_secret(files: dict[str, bytes]) -> str:
    """Return which file holds a secret of the store; it cannot be masked as in a text, so it is not kept."""
    for path, data in files.items():
        text = path + "\0" + data.decode(errors="surrogateescape")
        if PROCESS.redacted(text) != text:
            return f"{path} holds a secret that the program was given"
    return ""
