-- When each person died.
SELECT
    {person_id}::bigint AS person_id,
    min(death_date::date) AS death_date
FROM {death}
WHERE {person_id} IS NOT NULL
GROUP BY 1
ORDER BY 1
