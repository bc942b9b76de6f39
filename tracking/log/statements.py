"""The statements that append. Every writer of the log uses these.

A batch is one JSON parameter (arrays lose most of their time in the client). It is numbered in the order of the
request, so that what somebody did first stays first, and inserted in the order of its ids, so that overlapping
batches cannot deadlock. The clock is read after the number is drawn: what was received before a moment has a number
below the sequence at that moment.
"""

REGISTER = "select log_register()"

_COLUMNS = (
    "id, lane, profile_id, name, properties, context, source_id, origin, depth, message_id, user_id, anonymous_id"
)

_NUMBERED = """
    select nextval('event_seq_seq') as seq, clock_timestamp() as received_at, x.*
      from rows from (jsonb_to_recordset(%s) as (
            id uuid, lane smallint, profile_id uuid, name text, properties jsonb, context jsonb, source_id integer,
            origin smallint, depth smallint, message_id text, user_id text, anonymous_id text,
            occurred_at timestamptz, dedup_key uuid
      )) with ordinality x
     order by ordinality offset 0
"""

_INSERT = f"insert into event (seq, received_at, occurred_at, {_COLUMNS})"

_SELECTED = """
    select s.seq, s.received_at, coalesce(s.occurred_at, s.received_at), s.id, s.lane, s.profile_id, s.name,
           s.properties, s.context, s.source_id, coalesce(s.origin, 0), coalesce(s.depth, 0), s.message_id, s.user_id,
           s.anonymous_id
"""

APPEND = f"""
{_INSERT}
{_SELECTED} from ({_NUMBERED}) s order by s.id on conflict do nothing
"""

APPEND_WITH_DEDUP = f"""
with s as materialized ({_NUMBERED}),
known as (
    insert into event_dedup (lane, key, event_id, created_at)
    select distinct on (lane, dedup_key) lane, dedup_key, id, received_at
      from s where dedup_key is not null order by lane, dedup_key, seq
    on conflict (lane, key) do update set event_id = event_dedup.event_id
    returning key, event_id
),
appended as (
    {_INSERT}
    {_SELECTED} from s left join known on known.key = s.dedup_key
     where s.dedup_key is null or known.event_id = s.id
     order by s.id on conflict do nothing
)
select key, event_id from known
"""
"""Returns, for each key, the id under which its event stands in the log: an earlier one's for a retry."""
