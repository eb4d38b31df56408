-- The day on which each person's last visit began; ends are left aside, because a site may write 9999-12-31 for an open one.
SELECT
    {person_id}::bigint AS person_id,
    max(visit_start_date::date) AS last_visit_date
FROM {visit}
WHERE {person_id} IS NOT NULL
GROUP BY 1
ORDER BY 1
