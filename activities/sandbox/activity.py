"""Activities that run code nobody vouches for."""

from pydantic import SecretStr
from temporalio import activity

from activities.artifacts.contracts import Texts
from activities.heartbeat import beating
from activities.policy.engine import PolicyEngine
from activities.sandbox.contracts import (
    Execution,
    ExecutionResult,
    ProgramForbidden,
    Sandbox,
    SandboxRequest,
    SandboxResult,
)
from activities.sandbox.extraction import extract_program
from activities.secrets.contracts import SecretsForbidden
from activities.secrets.rows import RowSecrets
from temporal.names import ActivityName
from temporal.redaction import PROCESS


class SandboxActivities:
    """Runs programs in a sandbox.

    Args:
        sandbox: Runs one program, isolated.
        texts: Reads programs and keeps what they print.
        policy: Decides which programs run, and what they may use.
        secrets: Reads what programs find in their environment; without it there is nothing to be found.
    """

    def __init__(self, sandbox: Sandbox, texts: Texts, policy: PolicyEngine, secrets: RowSecrets | None = None) -> None:
        self._sandbox = sandbox
        self._texts = texts
        self._policy = policy
        self._secrets = secrets

    @activity.defn(name=ActivityName.EXECUTE)
    async def execute(self, request: SandboxRequest) -> SandboxResult:
        """Run one program; that it fails is a result, not an error."""
        self._refuse_secrets(request)
        permission = await self._policy.permit(request)
        if not permission.allow:
            reasons = "; ".join(permission.deny) or "it gives no reason"
            raise ProgramForbidden(f"the policy does not let this program run: {reasons}", policy=permission.policy)
        limits = permission.lowered(request.limits)
        code = await self._texts.read(request.code)
        execution = Execution(
            language=request.language,
            code=extract_program(code, request.language) if request.extract else code,
            stdin=await self._texts.read(request.stdin) if request.stdin else "",
            environment=await self._environment(request),
            limits=limits,
            key=_key(),
        )
        result = await beating(self._sandbox.execute(execution))
        return SandboxResult(
            reason=result.reason,
            exit_code=result.exit_code,
            stdout=await self._texts.keep(_told(result.stdout, result)),
            stderr=await self._texts.keep(_told(result.stderr, result)),
            truncated=result.truncated,
            seconds=result.seconds,
            policy=permission.policy,
            limits=limits,
        )

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
