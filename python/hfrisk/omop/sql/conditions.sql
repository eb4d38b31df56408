-- Every heart-failure record. A record without a standard concept counts by its source code.
SELECT
    {person_id}::bigint AS person_id,
    COALESCE({condition_concept_id}::bigint, 0) AS condition_concept_id,
    {condition_start_date}::date AS condition_start_date,
    CAST({visit_occurrence_id} AS bigint) AS visit_occurrence_id,
    CAST(NULL AS bigint) AS visit_concept_id
FROM {condition}
WHERE {person_id} IS NOT NULL
  AND (
    {condition_concept_id}::bigint IN (SELECT unnest(CAST(%(concept_ids)s AS bigint[])))
    OR (COALESCE({condition_concept_id}::bigint, 0) = 0 AND upper(CAST({condition_source_value} AS text)) ~ %(source_codes)s)
  )
ORDER BY 1, 3, 2, 4
