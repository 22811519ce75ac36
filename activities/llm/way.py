"""Which deployments a call may go to, in which order, and which of them it went to already."""

from activities.llm.contracts import ModelRequest, NoLocalModel
from activities.llm.groups import Deployment, ModelGroup, ModelGroups
from activities.llm.prices import CHARACTERS_PER_TOKEN


class Way:
    """The groups that a call may go to, and the deployments it went to already; each is asked once.

    Where the data of the call may not leave the house, no other deployment is ever part of it, whichever alias,
    fallback or longer group leads there.

    Raises:
        UnknownModel: The group is not configured.
        NoLocalModel: Only local deployments may be asked, and none may answer for the group.
    """

    def __init__(self, groups: ModelGroups, request: ModelRequest) -> None:
        self._groups = groups
        self._longer = False
        self.request = request
        self.tokens = tokens_of(request)
        self.tried: set[str] = set()
        self.waits: dict[str, float] = {}
        self.chain = self._open(longer=False)
        self._longer_chain = self._open(longer=True) if groups.find(request.group).longer else []
        if not self.chain and not self._longer_chain:
            message = f"no local model may answer for {request.group or groups.default!r}, and no other may see the row"
            raise NoLocalModel(message, model=request.group)
        if not any(self._reading(group) for group in self.chain):
            self.go_longer()

    @property
    def deployments(self) -> list[Deployment]:
        """All that may be asked."""
        return [one for group in self.chain for one in group.deployments]

    @property
    def alone(self) -> bool:
        """Whether there is one only: then nobody else could answer while it is left alone."""
        return len({one.group for one in self.deployments}) == 1

    def left(self) -> list[tuple[ModelGroup, list[Deployment]]]:
        """Return who was not asked yet, by group."""
        found = [(group, [one for one in self._reading(group) if one.group not in self.tried]) for group in self.chain]
        return [(group, deployments) for group, deployments in found if deployments]

    def go_longer(self) -> bool:
        """Go on with those that read more; ``False`` where there are none."""
        if self._longer or not self._longer_chain:
            return False
        self._longer = True
        self.chain = self._longer_chain
        return True

    def most(self) -> list[Deployment]:
        """Return all that may ever be asked, each once."""
        found = {one.group: one for group in [*self.chain, *self._longer_chain] for one in group.deployments}
        return list(found.values())

    def _open(self, *, longer: bool) -> list[ModelGroup]:
        """Return the groups as far as the call may go to them."""
        chain = self._groups.chain(self.request.group, longer=longer)
        if not self.request.local_only:
            return chain
        kept = [(group, tuple(one for one in group.deployments if one.local)) for group in chain]
        return [group.model_copy(update={"deployments": local}) for group, local in kept if local]

    def _reading(self, group: ModelGroup) -> list[Deployment]:
        # Without a longer one to go to, the provider itself says whether a prompt is too long.
        may_skip = bool(self._longer_chain) and not self._longer
        read = [one for one in group.deployments if one.context_tokens is None or self.tokens <= one.context_tokens]
        return read if may_skip else list(group.deployments)


def tokens_of(request: ModelRequest) -> int:
    """Return about as many tokens as a call takes, rather too many."""
    return request.size // CHARACTERS_PER_TOKEN + request.max_tokens
