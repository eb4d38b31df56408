-- One row for every person of the condition table: has any of the person's records ever been heart failure?
SELECT
    {person_id}::bigint AS person_id,
    max(CASE
        WHEN {condition_concept_id}::bigint IN (SELECT unnest(CAST(%(concept_ids)s AS bigint[]))) THEN 1
        WHEN COALESCE({condition_concept_id}::bigint, 0) = 0 AND upper(CAST({condition_source_value} AS text)) ~ %(source_codes)s THEN 1
        ELSE 0
    END)::integer AS hf_outcome
FROM {condition}
WHERE {person_id} IS NOT NULL
GROUP BY 1
ORDER BY 1
