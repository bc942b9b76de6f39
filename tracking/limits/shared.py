"""The buckets in Valkey, which all processes share: one round trip for all buckets of a request.

Kept libraries were looked at: throttled-py asks once for each bucket, limits knows no token bucket, and neither lets a
process take tokens ahead.
"""

import hashlib
from collections.abc import Sequence

import msgspec

from tracking.limits.limit import Charge
from tracking.valkey import ValkeyLink

# A bucket is its level and when that was. Of each: rate, burst, what was spent on credit, what is wanted, how much must
# be there for it, and what is taken ahead.
_SCRIPT = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local levels, short, wait = {}, 0, 0
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[6 * i - 5]), tonumber(ARGV[6 * i - 4])
  local spent, needed = tonumber(ARGV[6 * i - 3]), tonumber(ARGV[6 * i - 1])
  local known = redis.call('HMGET', key, 'level', 'at')
  local level = burst
  if known[1] then
    level = math.min(burst, tonumber(known[1]) + math.max(0, now - tonumber(known[2])) * rate)
  end
  level = level - spent
  local lack = (needed - level) / rate
  if lack > wait then short, wait = i, lack end
  levels[i] = level
end
local answer = {short, tostring(wait)}
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[6 * i - 5]), tonumber(ARGV[6 * i - 4])
  local want, ahead = tonumber(ARGV[6 * i - 2]), tonumber(ARGV[6 * i])
  local given = 0
  if short == 0 then given = want + math.max(0, math.min(ahead, math.floor(levels[i] - want))) end
  local level = levels[i] - given
  redis.call('HSET', key, 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil((burst - level) / rate * 1000) + 1000)
  answer[i + 2] = tostring(given)
end
return answer
"""


class Booking(msgspec.Struct, frozen=True):
    """What a process asks of one bucket: to book what it `spent` on credit, and for what it wants now."""

    charge: Charge
    spent: float
    want: float

    @property
    def needed(self) -> float:
        """How much must be in the bucket: a request for more than one can hold passes when it is full, and leaves it
        below zero."""
        beyond = max(self.charge.cost - self.charge.limit.burst, 0)
        return self.want - beyond


class Booked(msgspec.Struct, frozen=True):
    """The answer: `short` is the place of the bucket that lacks most, None where all have enough; `wait` in seconds.

    `given` holds what was taken of each bucket: what was wanted, and something ahead. It is 0 where one is short.
    """

    short: int | None
    wait: float
    given: list[float]


class SharedBuckets:
    """The buckets behind a link."""

    def __init__(self, link: ValkeyLink) -> None:
        self._link = link
        self._run = link.client.register_script(_SCRIPT)

    def book(self, bookings: Sequence[Booking]) -> Booked | None:
        """Book on all buckets or, where one is short, only what was spent already. None while nothing is shared."""
        names = [_name(one.charge) for one in bookings]
        answer = self._link.ask(lambda: self._run(keys=names, args=_list_arguments(bookings)))
        if answer is None:
            return None
        short = int(answer[0])
        return Booked(short - 1 if short else None, float(answer[1]), [float(given) for given in answer[2:]])


def _name(charge: Charge) -> str:
    """Neither an address nor a user id stands in Valkey. The braces keep a source's buckets together in a cluster."""
    digest = hashlib.blake2b(charge.key.encode(), digest_size=16).hexdigest()
    return f"limit:{{{charge.source_id}}}:{digest}"


def _list_arguments(bookings: Sequence[Booking]) -> list[float]:
    return [
        value
        for one in bookings
        for value in (
            one.charge.limit.rate,
            one.charge.limit.burst,
            one.spent,
            one.want,
            one.needed,
            one.charge.limit.chunk,
        )
    ]
