import asyncio
import io
from collections import Counter

import pytest

from activities.artifacts.contracts import ArtifactNotFound, Digest, digest_of
from activities.plans.activity import PlanActivities
from activities.plans.contracts import PageRequest, PlanPageNotFound
from activities.plans.reader import ArtifactPlanReader
from catalogs.compiler import compile_catalog
from catalogs.plan import PAGE_ROWS


class Shelf:
    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}
        self.reads: Counter[str] = Counter()

    def store(self, data: bytes) -> Digest:
        self.data[digest_of(data)] = data
        return digest_of(data)

    async def put(self, data: bytes) -> Digest:
        return self.store(data)

    async def get(self, digest: Digest) -> bytes:
        self.reads[digest] += 1
        await asyncio.sleep(0)
        if digest not in self.data:
            raise ArtifactNotFound(digest)
        return self.data[digest]


TOTAL = PAGE_ROWS + 10


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def plan(shelf: Shelf) -> Digest:
    rows = "".join(f"r{n},o,ops,T{n},{'r0' if n else ''}\n" for n in range(TOTAL))
    source = io.BytesIO(f"id,objective,board,title,depends_on\n{rows}".encode())
    return compile_catalog(source, "t", shelf.store).digest


async def test_a_row_is_found_by_its_index(shelf: Shelf, plan: Digest) -> None:
    reader = ArtifactPlanReader(shelf)
    assert [(await reader.row(plan, n)).row.id for n in (0, 249, 250, TOTAL - 1)] == ["r0", "r249", "r250", "r259"]


async def test_a_page_is_read_and_parsed_once_however_many_ask(shelf: Shelf, plan: Digest) -> None:
    reader = ArtifactPlanReader(shelf)
    await asyncio.gather(*(reader.row(plan, n) for n in range(TOTAL)))
    assert set(shelf.reads.values()) == {1}


async def test_only_the_latest_pages_are_kept(shelf: Shelf, plan: Digest) -> None:
    reader = ArtifactPlanReader(shelf, cached_pages=1)
    for n in (0, 1, 250, 251, 0):
        await reader.row(plan, n)
    assert sorted(shelf.reads.values()) == [1, 1, 2]


@pytest.mark.parametrize("index", [-1, TOTAL])
async def test_rows_beyond_the_plan_are_refused(shelf: Shelf, plan: Digest, index: int) -> None:
    with pytest.raises(PlanPageNotFound):
        await ArtifactPlanReader(shelf).row(plan, index)


async def test_an_unknown_plan_is_refused_each_time(shelf: Shelf) -> None:
    reader = ArtifactPlanReader(shelf)
    for _ in range(2):
        with pytest.raises(ArtifactNotFound):
            await reader.plan(digest_of(b"nothing"))


async def test_the_activity_hands_out_heads(shelf: Shelf, plan: Digest) -> None:
    heads = await PlanActivities(ArtifactPlanReader(shelf)).page(PageRequest(plan=plan, page=1))
    assert heads.total == TOTAL
    assert len(heads.rows) == 10
    head = heads.rows[0]
    assert (head.index, head.id, head.board, head.title, head.upstream) == (250, "r250", "ops", "T250", (0,))
    with pytest.raises(PlanPageNotFound):
        await PlanActivities(ArtifactPlanReader(shelf)).page(PageRequest(plan=plan, page=2))
