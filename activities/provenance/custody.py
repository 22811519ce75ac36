"""The chain of custody in a statement: from the model's words to the text that left, without a gap."""

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from activities.artifacts.contracts import Digest
from activities.provenance.contracts import Act, CustodyAct, ProvenanceInvalid

_ACTS: Final = TypeAdapter(tuple[CustodyAct, ...])


def custody_of(statement: dict[str, Any]) -> tuple[CustodyAct, ...]:
    """Return what a row's statement says was done to the output; empty for one from before that was stated.

    Raises:
        ProvenanceInvalid: It does not say it in the form of this version.
    """
    try:
        return _ACTS.validate_python(statement["predicate"]["buildDefinition"]["internalParameters"]["custody"])
    except (KeyError, TypeError):
        return ()
    except ValidationError:
        raise ProvenanceInvalid("the chain of custody is not as Prism writes it") from None


def check_custody(acts: tuple[CustodyAct, ...], output: Digest) -> None:
    """Check that each act is about the text that the one before it left, and the last text is the output.

    Raises:
        ProvenanceInvalid: There is a gap.
    """
    text: Digest | None = None
    written: set[Digest] = set()
    for number, act in enumerate(acts, 1):
        taken = {Act.WRITTEN: text, Act.EDITED: act.before, Act.STRUCTURED: act.before}.get(act.act, act.text)
        if act.act is Act.WRITTEN:
            written.add(act.text)
        # Of several texts that agents wrote, any may have been chosen.
        if act.act is Act.CHOSEN and act.text in written:
            taken = text
        if taken != text:
            what = f"act {number} ({act.act.value}) is about another text"
            raise ProvenanceInvalid(f"the chain of custody has a gap: {what}")
        text = act.text
    if acts and text != output:
        raise ProvenanceInvalid("the chain of custody has a gap: it ends with another text than the output")
