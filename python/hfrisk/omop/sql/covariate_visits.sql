-- When the visits of some persons began.
SELECT
    {person_id}::bigint AS person_id,
    visit_start_date::date AS start_date
FROM {visit}
WHERE visit_start_date IS NOT NULL
  AND {person_id}::bigint IN (SELECT unnest(CAST(%(person_ids)s AS bigint[])))
