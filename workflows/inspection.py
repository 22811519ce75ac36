"""What a row's output is looked at for: scans, its program's end, and whether the policy lets it leave."""

from collections.abc import Iterable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.artifacts.contracts import Text
    from activities.policy.contracts import Admission
    from activities.policy.release_contracts import ReleaseRequest
    from activities.records.contracts import RowState
    from activities.sandbox.contracts import ExitReason, SandboxRequest, UpstreamFiles, WorkspaceRequest
    from activities.scans.contracts import CodeScanRequest, Finding
    from activities.scans.file_contracts import FilesScanRequest
    from catalogs.row import CatalogRow, Review, Scan
    from temporal.names import ErrorCode
    from workflows.custody import contract_digest, executed, files_scanned, judged, scanned, scanned_for_code
    from workflows.draft import RowEnded
    from workflows.facts import RowFacts
    from workflows.steps import RowSteps


class Inspection:
    """Looks at an output, whoever wrote it: the model, or a person who edited it.

    Args:
        steps: The row's steps.
        facts: What is known of the row; what is found goes there.

    Attributes:
        denied: Why the policy does not let the output leave that was looked at last.
    """

    def __init__(self, steps: RowSteps, facts: RowFacts) -> None:
        self._steps = steps
        self._facts = facts
        self.denied: tuple[str, ...] = ()

    async def look(self, row: CatalogRow) -> None:
        """Scan the output and run its program, as the row wants.

        Raises:
            RowEnded: The program failed.
        """
        output = self._facts.draft.output
        if output is None:
            return
        self._facts.findings, self.denied = (), ()
        self._facts.files = None
        if row.scan is not Scan.NONE:
            report = await self._steps.scan(output)
            self._facts.findings = report.findings
            self._facts.draft.custody += (scanned(output, report),)
        if row.scan is Scan.CODE:
            await self._scan_code(row, output)
        await self._execute(row, output)
        await self._scan_files(row, output)

    async def reasons(self, admission: Admission) -> tuple[str, ...]:
        """Return why a person must decide, or could where the output needs it; empty when nobody has to.

        Raises:
            RowEnded: The output cannot pass, and the row has no review that could save it.
        """
        row, draft = admission.row, self._facts.draft
        planned = draft.proposed.review if draft.proposed else ()
        reasons = [*admission.decision.review, *admission.approval, *draft.looked_at, *planned]
        reasons += await self._release(admission)
        if row.review is Review.REQUIRED:
            reasons.insert(0, "the catalog requires a review of this row")
        possible = bool(reasons) or row.review is not Review.NONE
        if draft.failures:
            if not possible:
                raise RowEnded(RowState.VERIFICATION_FAILED, ErrorCode.VERIFICATION_FAILED, "; ".join(draft.failures))
            reasons.extend(draft.failures)
        if secrets := self._secrets():
            if not possible:
                raise RowEnded(RowState.FAILED, ErrorCode.SECRETS_IN_OUTPUT, secrets)
            reasons.append(secrets)
        return tuple(reasons)

    async def objections(self, admission: Admission) -> tuple[str, ...]:
        """Return what speaks against an edited output: what must be seen again before it may leave.

        Raises:
            RowEnded: Its program failed, or the policy does not let it leave.
        """
        await self.look(admission.row)
        if secrets := self._secrets():
            return (secrets,)
        return await self._release(admission)

    async def _scan_code(self, row: CatalogRow, output: Text) -> None:
        program = Text.by_value(row.code) if row.code else None
        request = CodeScanRequest(
            step=self._steps.ref("code-scan"), text=output, language=row.language, program=program
        )
        report = await self._steps.scan_code(request)
        self._facts.findings += report.findings
        self._facts.draft.custody += (scanned_for_code(output, report),)

    async def _execute(self, row: CatalogRow, output: Text) -> None:
        if row.language is None:
            return
        request = SandboxRequest(
            step=self._steps.ref("code"),
            language=row.language,
            code=Text.by_value(row.code) if row.code else output,
            extract=not row.code,
            stdin=output,
            secrets=row.secrets,
            risk=row.risk.value,
            labels=row.labels,
            policy=self._facts.request.options.policy,
            workspace=self._workspace(row),
        )
        result = await self._steps.execute(request)
        self._facts.code_result = contract_digest(result)
        self._facts.draft.custody += (executed(output, request, result),)
        if result.reason is not ExitReason.OK:
            tail = (result.stderr.inline or "").strip().splitlines()[-1:] or [""]
            message = f"the program ended with {result.reason.value}, exit code {result.exit_code}: {tail[0]}"
            raise RowEnded(RowState.FAILED, ErrorCode.CODE_FAILED, message)
        if result.unkept:
            message = f"the program ended well, but its files cannot be kept: {result.unkept}"
            raise RowEnded(RowState.FAILED, ErrorCode.CODE_FAILED, message)
        self._facts.files = result.files if result.files and result.files.files else None

    def _workspace(self, row: CatalogRow) -> WorkspaceRequest | None:
        """Return the folder of the row's program: the same in each round of a review, whatever an earlier one left."""
        left = {one.name: one.files for one in self._facts.request.upstream if one.files}
        if not (row.files or row.workspace or left):
            return None
        inputs = tuple(UpstreamFiles(row=name, files=files) for name, files in left.items() if name != row.workspace)
        return WorkspaceRequest(keep=row.files, base=left.get(row.workspace), inputs=inputs)

    async def _scan_files(self, row: CatalogRow, output: Text) -> None:
        files = self._facts.files
        if files is None or row.scan is Scan.NONE:
            return
        request = FilesScanRequest(step=self._steps.ref("files-scan"), files=files, code=row.scan is Scan.CODE)
        report = await self._steps.scan_files(request)
        self._facts.findings += report.findings
        self._facts.draft.custody += (files_scanned(output, files, report),)

    async def _release(self, admission: Admission) -> tuple[str, ...]:
        """Ask the policy about the output where it wants to be asked; return why it wants a person to look."""
        draft, output = self._facts.draft, self._facts.draft.output
        if output is None or not admission.decision.release:
            return ()
        decision = await self._steps.release(
            ReleaseRequest(
                step=self._steps.ref("release"),
                row=admission.row,
                submitter=self._facts.request.submitter,
                output=output,
                findings=self._facts.findings,
                failures=draft.failures,
                models=draft.models,
                cost_usd=draft.cost_usd,
                edited=draft.edited is not None,
                files=self._facts.files,
                policy=self._facts.request.options.policy,
            )
        )
        draft.custody += (judged(output, decision),)
        if not decision.allow:
            reasons = "; ".join(decision.deny) or "the policy gave no reason"
            self.denied = (f"the policy does not let the output leave: {reasons}",)
            raise RowEnded(RowState.DENIED, ErrorCode.POLICY_DENIED, *self.denied)
        return decision.review

    def _secrets(self) -> str:
        secrets = [finding for finding in self._facts.findings if finding.secret]
        told = ((_told(one for one in secrets if bool(one.place) is in_files), in_files) for in_files in (False, True))
        return "; ".join(f"secrets in the {'files' if files else 'output'}: {found}" for found, files in told if found)


def _told(secrets: Iterable[Finding]) -> str:
    return ", ".join(f"{one.rule} on line {one.line}{f' of {one.place}' if one.place else ''}" for one in secrets)
