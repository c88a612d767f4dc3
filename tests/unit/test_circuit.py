"""When the circuit to the storage opens, and when it closes."""

from __future__ import annotations

import pytest

from mediafleet_core.errors import MediafleetError, Reason
from mediafleet_core.storage.circuit import Circuit, CircuitState
from mediafleet_core.storage.troubles import corrupt, denied, missing, unavailable

AWAY = unavailable("network", "away")
COOLDOWN = 5.0


class Storage:
    """A circuit with a clock that only tests move; it opens at the third failure within 10 seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.states: list[CircuitState] = []
        self.circuit = Circuit(3, 10.0, COOLDOWN, on_change=self.states.append, clock=lambda: self.now)

    def asked(self, answer: BaseException | None = None) -> BaseException | None:
        """What a call ends with when the storage gives this answer."""
        try:
            with self.circuit.call():
                if answer:
                    raise answer
        except BaseException as error:
            return error
        return None

    def refuses(self) -> bool:
        """Whether the next call fails without the storage."""
        error = self.asked(KeyboardInterrupt())
        return isinstance(error, MediafleetError)

    def shows(self, state: CircuitState) -> bool:
        return self.states[-1] is state


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
def dead() -> Storage:
    storage = Storage()
    for _ in range(3):
        storage.asked(AWAY)
    return storage


def test_it_opens_after_so_many_failures_in_a_row(storage: Storage) -> None:
    for _ in range(2):
        assert storage.asked(AWAY) is AWAY
    assert storage.shows(CircuitState.CLOSED)
    assert storage.asked(AWAY) is AWAY
    assert storage.shows(CircuitState.OPEN)
    refused = storage.asked()
    assert isinstance(refused, MediafleetError)
    assert refused.reason is Reason.STORAGE_UNAVAILABLE
    assert refused.metadata["cause"] == "network"
    assert refused.retry_after is not None
    assert COOLDOWN <= refused.retry_after <= 1.5 * COOLDOWN


@pytest.mark.parametrize(
    "answer", [None, denied("no rights"), missing("key"), corrupt("key"), unavailable("throttled", "slow down")]
)
def test_an_answer_of_any_kind_shows_that_the_storage_is_there(
    storage: Storage, answer: MediafleetError | None
) -> None:
    for _ in range(5):
        storage.asked(AWAY)
        storage.asked(AWAY)
        storage.asked(answer)
    assert storage.states == [CircuitState.CLOSED]


def test_failures_far_apart_do_not_add_up(storage: Storage) -> None:
    for _ in range(9):
        storage.asked(AWAY)
        storage.now += 6.0
    assert storage.states == [CircuitState.CLOSED]


def test_a_call_given_up_counts_neither_way(storage: Storage) -> None:
    storage.asked(AWAY)
    storage.asked(AWAY)
    storage.asked(KeyboardInterrupt())
    storage.asked(AWAY)
    assert storage.shows(CircuitState.OPEN)


def test_after_the_cooldown_one_call_goes_through_and_decides(dead: Storage) -> None:
    dead.now += COOLDOWN - 0.1
    assert dead.refuses()
    dead.now += 0.2
    with dead.circuit.call():
        assert dead.shows(CircuitState.PROBING)
        assert dead.refuses()
    assert dead.shows(CircuitState.CLOSED)
    assert not dead.refuses()


def test_a_failed_probe_opens_it_again_for_as_long(dead: Storage) -> None:
    dead.now += COOLDOWN
    assert dead.asked(AWAY) is AWAY
    assert dead.refuses()
    dead.now += COOLDOWN
    assert dead.asked() is None
    assert dead.shows(CircuitState.CLOSED)


def test_a_probe_given_up_leaves_its_turn_to_the_next_call(dead: Storage) -> None:
    dead.now += COOLDOWN
    assert not dead.refuses()
    assert dead.shows(CircuitState.OPEN)
    assert dead.asked() is None
    assert dead.shows(CircuitState.CLOSED)


def test_a_success_closes_it_before_the_call_has_ended(dead: Storage) -> None:
    dead.now += COOLDOWN
    with dead.circuit.call() as answered:
        answered()
        assert not dead.refuses()
