-- Everybody whom the database knows.
SELECT
    {person_id}::bigint AS person_id,
    CAST({year_of_birth} AS integer) AS year_of_birth,
    CAST({month_of_birth} AS integer) AS month_of_birth,
    CAST({day_of_birth} AS integer) AS day_of_birth,
    CAST({gender_concept_id} AS bigint) AS gender_concept_id
FROM {person}
WHERE {person_id} IS NOT NULL
ORDER BY 1
