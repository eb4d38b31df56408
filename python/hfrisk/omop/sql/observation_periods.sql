-- From when to when each person was observed, every period by itself.
SELECT
    {person_id}::bigint AS person_id,
    observation_period_start_date::date AS start_date,
    observation_period_end_date::date AS end_date
FROM {observation_period}
WHERE {person_id} IS NOT NULL
ORDER BY 1, 2, 3
