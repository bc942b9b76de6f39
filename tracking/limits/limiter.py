"""The limiter of a process. It spends what it has taken ahead, and asks Valkey only when that is used up.

Each bucket begins with a chunk on credit, which is booked with the first question: somebody who sends little is never
asked about. So all processes together may let pass at most a chunk each above the limit.
"""

import threading
import time
from collections.abc import Sequence

from tracking.limits.limit import Charge, Excess
from tracking.limits.shared import Booked, Booking, SharedBuckets

MOST_ACCOUNTS = 50_000
REMEMBERED_SECONDS = 10.0
"""What was not used for this long is forgotten: what it took ahead has filled again meanwhile."""
_REFUSED_SECONDS = 0.25
"""So long somebody who was refused is refused again without a question, unless they ask for less."""


class _Account:
    """What this process knows of a bucket: `left` to spend, `owed` of it not booked yet; how much was refused of late;
    and, for the time when nothing is shared, a bucket of its own."""

    __slots__ = ("at", "left", "level", "owed", "refused", "refused_until", "wait")

    def __init__(self, charge: Charge, now: float) -> None:
        self.left = self.owed = charge.limit.chunk
        self.level, self.at = charge.limit.burst, now
        self.refused = self.refused_until = self.wait = 0.0


class Limiter:
    """The buckets as this process sees them. Safe for its threads."""

    def __init__(self, shared: SharedBuckets) -> None:
        self._shared = shared
        self._lock = threading.Lock()
        self._young: dict[tuple[int, str], _Account] = {}
        self._old: dict[tuple[int, str], _Account] = {}
        self._turned_at = time.monotonic()

    def take_at_once(self, charges: Sequence[Charge]) -> Excess | bool:
        """Spend what is there without a question: True where it was enough, why not where that is known.

        False where Valkey must be asked (`take`): then nothing was spent.
        """
        now = time.monotonic()
        with self._lock:
            accounts, short, excess = self._look(charges, now)
            if excess is None and not short:
                _spend(charges, accounts)
            return excess or not short

    def take(self, charges: Sequence[Charge], *, is_public: bool) -> Excess | None:
        """Spend on all buckets, or on none and return why.

        While nothing is shared, whoever has a secret key passes; for others this process's own buckets hold.
        """
        now = time.monotonic()
        with self._lock:
            accounts, short, known = self._look(charges, now)
            if known is not None:
                return known
            if not short:
                _spend(charges, accounts)
                return None
            bookings = [self._withdraw(charges[place], accounts[place]) for place in short]
        booked = self._shared.book(bookings)
        with self._lock:
            asked = [accounts[place] for place in short]
            excess = (
                self._settle(bookings, asked, booked, now) if booked else _go_alone(bookings, asked, now, is_public)
            )
            if excess is None:
                for place, account in enumerate(accounts):
                    if place not in short:
                        account.left -= charges[place].cost
            return excess

    def _look(self, charges: Sequence[Charge], now: float) -> tuple[list[_Account], list[int], Excess | None]:
        """Return the accounts, the places of those that have too little, and why it is refused where that is known."""
        accounts, short = [], []
        for place, charge in enumerate(charges):
            account = self._young.get((charge.source_id, charge.key)) or self._open(charge, now)
            # A batch that was refused says nothing of a single event, for which there may be room.
            if now < account.refused_until and charge.cost >= account.refused:
                return [], [], Excess(charge.subject, max(account.wait, account.refused_until - now))
            if account.left < charge.cost:
                short.append(place)
            accounts.append(account)
        return accounts, short, None

    def _open(self, charge: Charge, now: float) -> _Account:
        name = (charge.source_id, charge.key)
        if now - self._turned_at > REMEMBERED_SECONDS or len(self._young) >= MOST_ACCOUNTS:
            self._old, self._young, self._turned_at = self._young, {}, now
        account = self._old.get(name) or _Account(charge, now)
        self._young[name] = account
        return account

    def _withdraw(self, charge: Charge, account: _Account) -> Booking:
        """Take out what is there for this request, so that no other thread spends it or books it too."""
        booking = Booking(charge, account.owed, charge.cost - account.left)
        account.left = account.owed = 0.0
        return booking

    def _settle(self, bookings: list[Booking], accounts: list[_Account], booked: Booked, now: float) -> Excess | None:
        if booked.short is None:
            for booking, account, given in zip(bookings, accounts, booked.given, strict=True):
                account.left += given - booking.want
            return None
        for booking, account in zip(bookings, accounts, strict=True):
            account.left += booking.charge.cost - booking.want
        empty = accounts[booked.short]
        charge = bookings[booked.short].charge
        empty.refused, empty.wait = charge.cost, booked.wait
        empty.refused_until = now + min(booked.wait, _REFUSED_SECONDS)
        return Excess(charge.subject, booked.wait)


def _spend(charges: Sequence[Charge], accounts: list[_Account]) -> None:
    for charge, account in zip(charges, accounts, strict=True):
        account.left -= charge.cost


def _go_alone(bookings: list[Booking], accounts: list[_Account], now: float, is_public: bool) -> Excess | None:
    """Decide without the others: open for secret keys, closed at this process's own bound for public ones."""
    for booking, account in zip(bookings, accounts, strict=True):
        account.owed += booking.spent
        account.left += booking.charge.cost - booking.want
    if not is_public:
        return None
    for booking, account in zip(bookings, accounts, strict=True):
        limit = booking.charge.limit
        account.level = min(limit.burst, account.level + (now - account.at) * limit.rate)
        account.at = now
        lack = min(booking.charge.cost, limit.burst) - account.level
        if lack > 0:
            return Excess(booking.charge.subject, lack / limit.rate)
    for booking, account in zip(bookings, accounts, strict=True):
        account.level -= booking.charge.cost
    return None
