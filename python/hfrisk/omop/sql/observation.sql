-- From when to when each person was observed, gaps between periods left aside.
SELECT
    {person_id}::bigint AS person_id,
    min(observation_period_start_date)::date AS observation_start,
    max(observation_period_end_date)::date AS observation_end
FROM {observation_period}
WHERE {person_id} IS NOT NULL
GROUP BY 1
ORDER BY 1
